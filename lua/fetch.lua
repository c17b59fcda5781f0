-- fetch: read the newest events of one collection, how many there are, and how many were limited in the last minute.
--
-- Steps: add up the limited events; find the events that match, by the admission log alone; read these, and leave out
-- those without the bytes that are asked for. Nothing is written. What something else wrote over the keys is left out
-- and counted as unreadable: a key of another type, an admission of another form, an event too long to be one.
--
-- KEYS[1]  hash    state, as in insert
-- KEYS[2]  list    events of the collection, newest first
-- KEYS[3]  list    admission log of the collection, "<s|k|e><admitted µs>:<seq>", one beside each event
--
-- ARGV[1]  now, Unix µs; empty for the server's own clock
-- ARGV[2]  collection: a for all, e for error
-- ARGV[3]  status: s success, k skip or e error; empty for any
-- ARGV[4]  before: only events with a smaller sequence number; empty for any
-- ARGV[5]  after: only events with a greater one; empty for any
-- ARGV[6]  limit, events
-- ARGV[7]  containing: only events that hold these bytes; empty for any
--
-- Returns {events with the status, limited events, unreadable entries, admission, event, admission, event, ...}, newest
-- first.

local state, events, log = KEYS[1], KEYS[2], KEYS[3]
local now, for_all, status = tonumber(ARGV[1]), ARGV[2] == 'a', ARGV[3]
local before, after, limit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local containing = ARGV[7]

local unreadable = 0

-- Returns the reply of a command; nil if the key has another type.
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    unreadable = unreadable + 1
    return nil
  end
  return reply
end

-- Returns how many events were limited in the last minute of the stream's time. The bucket holds the last second in
-- which any was: in most calls it is too old, and the seconds need not be read.
local function count_limited()
  local stored = try('HMGET', state, 'clock', for_all and 'all' or 'error') or {}
  local last, offset = string.match(stored[1] or '', '^(%d+) (%d+)$')
  local last_limited = tonumber(string.match(stored[2] or '', ' (%d+)$') or 0)
  if not last or last_limited == 0 then
    return 0
  end
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
  end
  local LIMITED_SECONDS = 60
  local oldest = math.floor(math.max(now + offset, tonumber(last)) / 1000000) - LIMITED_SECONDS
  if last_limited <= oldest then
    return 0
  end
  local fields, sum = {}, 0
  for second = 0, LIMITED_SECONDS - 1 do
    fields[second + 1] = 'r' .. second
  end
  for _, counted in ipairs(redis.call('HMGET', state, unpack(fields))) do
    local second, by_all, by_error = string.match(counted or '', '^(%d+) (%d+) (%d+)$')
    if second and tonumber(second) > oldest then
      sum = sum + (for_all and by_all or by_error)
    end
  end
  return sum
end

-- Adds an event to the page, with its admission.
local function add(page, admission, event)
  local ADMISSION, MAX_DIGITS, MAX_EVENT_BYTES = '^[ske](%d+):(%d+)$', 16, 16777216
  admission = admission or '' -- a Redis that evicts keys can have deleted the log alone
  local time, sequence = string.match(admission, ADMISSION)
  if time and #time <= MAX_DIGITS and #sequence <= MAX_DIGITS and #event <= MAX_EVENT_BYTES then
    page[#page + 1], page[#page + 2] = admission, event
  else
    unreadable = unreadable + 1
  end
end

-- Adds events to the page, by their indexes in the list; the admission of the first is admissions[skipped + 1].
local function read(page, from, to, admissions, skipped)
  for i, event in ipairs(redis.call('LRANGE', events, from, to)) do
    add(page, admissions[skipped + i], event)
  end
end

-- Adds those of the events that hold the bytes, until the page is full. Only some of them are in memory at a time.
local function read_containing(page, from, to, admissions)
  local AT_A_TIME, find = 100, string.find
  for first = from, to, AT_A_TIME do
    for i, event in ipairs(redis.call('LRANGE', events, first, math.min(first + AT_A_TIME - 1, to))) do
      if find(event, containing, 1, true) then
        if #page - 3 >= 2 * limit then
          return
        end
        add(page, admissions[first + i], event)
      end
    end
  end
end

-- Reads the events that have the status and are within the bounds; neighbours that match are read together. Returns how
-- many events have the status.
local function read_matches(page, length)
  local match, sub, any_status = string.match, string.sub, status == ''
  local read_some = containing == '' and read or read_containing
  local admissions = length > 0 and try('LRANGE', log, 0, length - 1) or {}
  local total, left, first = 0, limit, nil
  local counted = containing == '' and 1 or 0 -- without a look into the events it is not known which of them match
  for i, admission in ipairs(admissions) do
    local matches = false
    if any_status or sub(admission, 1, 1) == status then
      total = total + 1
      local sequence = tonumber(match(admission, ':(%d+)$') or 0)
      matches = left > 0 and (not before or sequence < before) and (not after or sequence > after)
    end
    if matches then
      first, left = first or i - 1, left - counted
    elseif first then
      read_some(page, first, i - 2, admissions, first)
      first = nil
    end
  end
  if first then
    read_some(page, first, #admissions - 1, admissions, first)
  end
  return total
end

-- The log can be longer than the list of events, never shorter.
local length = try('LLEN', events) or 0
local page = {length, count_limited(), 0}
if status ~= '' or before or after or containing ~= '' then
  page[1] = read_matches(page, length)
elseif limit > 0 and length > 0 then
  read(page, 0, limit - 1, try('LRANGE', log, 0, math.min(limit, length) - 1) or {}, 0)
end
page[3] = unreadable
return page
