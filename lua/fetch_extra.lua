-- fetch_extra: read the newest events of one extra collection, and how many there are.
--
-- Steps: read its state, then the admissions of its events; find those that match; read these, and leave out those
-- without the bytes that are asked for. Nothing is written. What something else wrote over the keys is left out, and
-- counted as unreadable.
--
-- KEYS[1]  hash    extras, as in insert
-- KEYS[2]  hash    extras:events, as in insert
--
-- ARGV[1]  name
-- ARGV[2]  status: s success, k skip or e error; empty for any
-- ARGV[3]  before: only events with a smaller sequence number; empty for any
-- ARGV[4]  after: only events with a greater one; empty for any
-- ARGV[5]  limit, events
-- ARGV[6]  containing: only events that hold these bytes; empty for any
--
-- Returns {events with the status, 0, unreadable entries, admission, event, admission, event, ...}, newest first.

local extras, events = KEYS[1], KEYS[2]
local name, status, containing = ARGV[1], ARGV[2], ARGV[6]
local before, after, limit = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local ADMISSION, MAX_DIGITS, MAX_EVENT_BYTES, CHUNK = '^[ske](%d+):(%d+)$', 16, 16777216, 100

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

-- Returns the fields with these numbers, from the highest down.
local function fields(letter, from, to)
  local names = {}
  for number = from, to, -1 do
    names[#names + 1] = number .. letter .. name
  end
  return names
end

local function matches(sequence)
  return (not before or sequence < before) and (not after or sequence > after)
end

local page = {0, 0, 0}
local newest, kept = string.match(try('HGET', extras, name) or '', ' (%d+) %d+ (%d+)$')
newest, kept = tonumber(newest or 0), tonumber(kept or 1)
for from = newest, kept, -CHUNK do
  local to = math.max(kept, from - CHUNK + 1)
  local admissions = try('HMGET', events, unpack(fields('a', from, to))) or {}
  local found = #page - 3 < 2 * limit and try('HMGET', events, unpack(fields('e', from, to))) or {}
  for i, admission in ipairs(admissions) do
    local time, sequence = string.match(admission or '', ADMISSION)
    if not time or #time > MAX_DIGITS or #sequence > MAX_DIGITS then
      unreadable = unreadable + 1
    elseif status == '' or string.sub(admission, 1, 1) == status then
      page[1] = page[1] + 1
      local event = found[i]
      if event and #page - 3 < 2 * limit and matches(tonumber(sequence))
        and (containing == '' or string.find(event, containing, 1, true)) then
        if #event <= MAX_EVENT_BYTES then
          page[#page + 1], page[#page + 2] = admission, event
        else
          unreadable = unreadable + 1
        end
      end
    end
  end
end
page[3] = unreadable
return page
