-- clear_extra: delete the events of one extra collection; its limiter stays as it is, unless it is reset.
--
-- KEYS[1]  hash    extras, as in insert
-- KEYS[2]  hash    extras:events, as in insert
--
-- ARGV[1]  name
-- ARGV[2]  reset: 1 to delete its limiter too
--
-- Returns how many events there were.

local extras, events = KEYS[1], KEYS[2]
local name, reset = ARGV[1], ARGV[2] == '1'

local CHUNK = 1000

local function delete(letter, from, to)
  for first = from, to, CHUNK do
    local fields = {}
    for number = first, math.min(first + CHUNK - 1, to) do
      fields[#fields + 1] = number .. letter .. name
    end
    redis.call('HDEL', events, unpack(fields))
  end
end

for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= 'hash' then
    redis.call('DEL', key) -- something else wrote it
  end
end
local tokens, changed, newest, oldest, kept =
  string.match(redis.call('HGET', extras, name) or '', '^(%d+) (%d+) %d+ %d+ %d+ %d+ %d+ (%d+) (%d+) (%d+)$')
if not tokens then
  redis.call('HDEL', extras, name)
  return 0
end
delete('e', tonumber(kept), tonumber(newest))
if reset then
  delete('a', tonumber(oldest), tonumber(newest))
  redis.call('HDEL', extras, name)
else
  local after = string.format('%.0f', newest + 1)
  redis.call('HSET', extras, name,
    table.concat({tokens, changed, '0', '0', '0', '0', '0', newest, oldest, after}, ' '))
end
return newest - kept + 1
