-- clear: delete the events of one stream; its limiters stay as they are, unless they are reset.
--
-- Steps: delete keys of another type, which something else wrote; count the events, one in both collections once;
-- delete them; reset the limiters if asked to. Else the admission logs stay: clearing is no way around a limit.
--
-- KEYS[1]  hash    state, as in insert
-- KEYS[2]  list    all
-- KEYS[3]  list    all:at
-- KEYS[4]  list    error
-- KEYS[5]  list    error:at
-- KEYS[6]  hash    extras
-- KEYS[7]  hash    extras:events
--
-- ARGV[1]  reset: 1 to delete admission logs, buckets and counts of limited events too; sequence and answers to
--          writers stay in any case
--
-- Returns how many events there were.

local state, all, all_log, error_, error_log, extras, extra_events = unpack(KEYS)
local reset = ARGV[1] == '1'

local LIMITED_SECONDS = 60

local function delete_foreign_keys()
  for i, key in ipairs(KEYS) do
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' and kind ~= ((i == 1 or i > 5) and 'hash' or 'list') then
      redis.call('DEL', key)
    end
  end
end

-- Adds the sequence numbers of a collection's events to `sequences`; returns how many of them were not there.
local function count_new(events, log, sequences)
  local length, new = redis.call('LLEN', events), 0
  for i, admission in ipairs(length > 0 and redis.call('LRANGE', log, 0, length - 1) or {}) do
    local sequence = string.match(admission, ':(%d+)$') or log .. i -- something else wrote it: an event of its own
    if not sequences[sequence] then
      sequences[sequence] = true
      new = new + 1
    end
  end
  return new
end

-- Adds the sequence numbers of the events in extra collections to `sequences`; returns how many of them were not there.
-- Deletes these events. The counts begin anew, and the limiters stay as they are.
local function clear_extras(sequences)
  local new, content = 0, redis.call('HGETALL', extras)
  for i = 1, #content, 2 do
    local name = content[i]
    local tokens, changed, newest, oldest, kept =
      string.match(content[i + 1], '^(%d+) (%d+) %d+ %d+ %d+ %d+ %d+ (%d+) (%d+) (%d+)$')
    for number = tonumber(kept or 1), tonumber(newest or 0) do
      local sequence = string.match(redis.call('HGET', extra_events, number .. 'a' .. name) or '', ':(%d+)$')
      if sequence and not sequences[sequence] then
        sequences[sequence] = true
        new = new + 1
      end
      redis.call('HDEL', extra_events, number .. 'e' .. name)
    end
    if tokens then
      local counts = {tokens, changed, '0', '0', '0', '0', '0', newest, oldest, string.format('%.0f', newest + 1)}
      redis.call('HSET', extras, name, table.concat(counts, ' '))
    end
  end
  return new
end

local function reset_limiters()
  redis.call('DEL', all_log, error_log, extras, extra_events)
  local fields = {'all', 'error'}
  for second = 0, LIMITED_SECONDS - 1 do
    fields[#fields + 1] = 'r' .. second
  end
  redis.call('HDEL', state, unpack(fields))
end

delete_foreign_keys()
local sequences = {}
local cleared = count_new(all, all_log, sequences) + count_new(error_, error_log, sequences)
cleared = cleared + clear_extras(sequences)
redis.call('DEL', all, error_)
redis.call('HDEL', state, 'renewed') -- so that the next insert renews all expiries, and no key outlives the others
if reset then
  reset_limiters()
end
return cleared
