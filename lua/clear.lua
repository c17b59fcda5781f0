-- clear: remove the events of one stream; the limiter stays as it is, unless it is to be reset.
--
-- Steps: delete keys of another type, which something else wrote; count the events, each once; delete them. The
-- stamps stay, or clearing would be a way round the limiter.
--
-- KEYS[1]  hash    state, as in insert
-- KEYS[2]  list    all
-- KEYS[3]  list    all:at
-- KEYS[4]  list    error
-- KEYS[5]  list    error:at
--
-- ARGV[1]  reset: 1 to forget stamps, buckets and refusals too; sequence and writers stay either way
--
-- Returns how many events there were.

local state, all, all_at, error_, error_at = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local reset = ARGV[1] == '1'

for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= (i == 1 and 'hash' or 'list') then
    redis.call('DEL', key)
  end
end

local cleared, seen = 0, {}
for _, pair in ipairs({{all, all_at}, {error_, error_at}}) do
  local length = redis.call('LLEN', pair[1])
  for i, stamp in ipairs(length > 0 and redis.call('LRANGE', pair[2], 0, length - 1) or {}) do
    local sequence = string.match(stamp, ':(%d+)$') or pair[2] .. i
    if not seen[sequence] then
      seen[sequence] = true
      cleared = cleared + 1
    end
  end
end

redis.call('DEL', all, error_)
redis.call('HDEL', state, 'renewed') -- the next insert renews all keys: none is to outlive what belongs to it
if reset then
  redis.call('DEL', all_at, error_at)
  local fields = {'all', 'error'}
  for slot = 0, 59 do
    fields[#fields + 1] = 'r' .. slot
  end
  redis.call('HDEL', state, unpack(fields))
end
return cleared
