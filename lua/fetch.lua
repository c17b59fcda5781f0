-- fetch: one look at a collection of one stream: its newest events, their count, and the refusals of a minute.
--
-- Steps: find which entries match by their stamps alone, read those, add up the refusals. Nothing is written.
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
-- Returns {events with the status, events refused, stamp, event, stamp, event, ...}, newest first.

local state, events, stamps_key = KEYS[1], KEYS[2], KEYS[3]
local now, collection, status = ARGV[1], ARGV[2], ARGV[3]
local before, after, limit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local MINUTE = 60

local function refused()
  local fields = {'clock', collection == 'a' and 'all' or 'error'}
  local stored = redis.call('HMGET', state, unpack(fields))
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
    slots[slot + 1] = collection .. slot
  end
  local sum = 0
  for _, counted in ipairs(redis.call('HMGET', state, unpack(slots))) do
    local second, n = string.match(counted or '', '^(%d+) (%d+)$')
    if second and tonumber(second) > oldest then
      sum = sum + n
    end
  end
  return sum
end

-- There may be more stamps than events, never fewer.
local length = redis.call('LLEN', events)
local page = {length, refused()}
if length == 0 then
  return page
end

local function read(from, to, stamps, offset)
  for i, event in ipairs(redis.call('LRANGE', events, from, to)) do
    local stamp = stamps[offset + i]
    if stamp then -- an eviction can have taken the stamps alone
      page[#page + 1], page[#page + 2] = stamp, event
    end
  end
end

if status == '' and not before and not after then
  if limit > 0 then
    read(0, limit - 1, redis.call('LRANGE', stamps_key, 0, math.min(limit, length) - 1), 0)
  end
  return page
end

-- Neighbours that match are read together.
local stamps = redis.call('LRANGE', stamps_key, 0, length - 1)
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
page[1] = total
return page
