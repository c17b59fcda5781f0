-- fetch: one look at a collection of one stream: its newest events, their count, and the refusals of a minute.
--
-- Steps: find which entries match by their stamps alone, read those, add up the refusals. Nothing is written. What
-- something else wrote over the keys is left out and counted: a key of another type, a stamp that is none, an event
-- too long to be one.
--
-- KEYS[1]  hash    state, as in insert
-- KEYS[2]  list    events of the collection, newest first
-- KEYS[3]  list    stamps "<s|k|e><admitted µs>:<seq>" beside the events
--
-- ARGV[1]  now, Unix µs; empty for the server's own clock
-- ARGV[2]  collection: a for all, e for error
-- ARGV[3]  status: s, k or e; empty for any
-- ARGV[4]  before: only events with a smaller sequence number; empty for any
-- ARGV[5]  after: only events with a greater one; empty for any
-- ARGV[6]  limit, events
--
-- Returns {events with the status, events refused, unreadable entries, stamp, event, ...}, newest first.

local state, events, stamps_key = KEYS[1], KEYS[2], KEYS[3]
local now, collection, status = ARGV[1], ARGV[2], ARGV[3]
local before, after, limit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local MINUTE, MAX_EVENT_BYTES, MAX_DIGITS = 60, 16777216, 16
local unreadable = 0

-- Returns the reply of a command, or an empty list if the key has another type.
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    unreadable = unreadable + 1
    return {}
  end
  return reply
end

local function refused()
  local fields = {'clock', collection == 'a' and 'all' or 'error'}
  local stored = try('HMGET', state, unpack(fields))
  local last, offset = string.match(stored[1] or '', '^(%d+) (%d+)$')
  local last_refusal = tonumber(string.match(stored[2] or '', ' (%d+)$') or 0)
  if not last or last_refusal == 0 then
    return 0
  end
  if now == '' then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
  end
  local oldest = math.floor(math.max(now + offset, tonumber(last)) / 1000000) - MINUTE
  if last_refusal <= oldest then
    return 0
  end
  local slots = {}
  for slot = 0, MINUTE - 1 do
    slots[slot + 1] = 'r' .. slot
  end
  local sum = 0
  for _, counted in ipairs(redis.call('HMGET', state, unpack(slots))) do
    local second, by_all, by_error = string.match(counted or '', '^(%d+) (%d+) (%d+)$')
    if second and tonumber(second) > oldest then
      sum = sum + (collection == 'a' and by_all or by_error)
    end
  end
  return sum
end

-- There may be more stamps than events, never fewer.
local length = try('LLEN', events)
if type(length) == 'table' then
  length = 0
end
local page = {length, refused(), 0}

local function read(from, to, stamps, offset)
  for i, event in ipairs(redis.call('LRANGE', events, from, to)) do
    local stamp = stamps[offset + i] or '' -- an eviction can have taken the stamps alone
    local time, sequence = string.match(stamp, '^[ske](%d+):(%d+)$')
    if time and #time <= MAX_DIGITS and #sequence <= MAX_DIGITS and #event <= MAX_EVENT_BYTES then
      page[#page + 1], page[#page + 2] = stamp, event
    else
      unreadable = unreadable + 1
    end
  end
end

if status == '' and not before and not after then
  if limit > 0 and length > 0 then
    read(0, limit - 1, try('LRANGE', stamps_key, 0, math.min(limit, length) - 1), 0)
  end
  page[3] = unreadable
  return page
end

-- Neighbours that match are read together.
local stamps = length > 0 and try('LRANGE', stamps_key, 0, length - 1) or {}
local total, left, from = 0, limit, nil
for i, stamp in ipairs(stamps) do
  local wanted = false
  if status == '' or string.sub(stamp, 1, 1) == status then
    total = total + 1
    local sequence = tonumber(string.match(stamp, ':(%d+)$') or 0)
    wanted = left > 0 and (not before or sequence < before) and (not after or sequence > after)
  end
  if wanted then
    from = from or i - 1
    left = left - 1
  elseif from then
    read(from, i - 2, stamps, from)
    from = nil
  end
end
if from then
  read(from, #stamps - 1, stamps, from)
end
page[1], page[3] = total, unreadable
return page
