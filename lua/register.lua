-- register: note that a stream is active, within a bound on how many streams there are.
--
-- Steps: forget streams that have expired; refresh a known stream; make room for a new one, or refuse it.
--
-- KEYS[1]  sorted set  ids of the known streams of a namespace, scored by the time of their last activity, µs
--
-- ARGV[1]  now, Unix µs; empty for the server's own clock
-- ARGV[2]  id
-- ARGV[3]  max streams
-- ARGV[4]  expiry, ms
-- ARGV[5]  displace: 1 if a new stream may push out the least recently active one
--
-- Returns {1, id, ...} with the ids that were pushed out, or {0} if there is no room.

local streams = KEYS[1]
local now, id, max_streams, expiry = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local displace = ARGV[5] == '1'

if now == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
now = string.format('%.0f', now)
local reply = {1}
local kind = redis.call('TYPE', streams).ok
if kind ~= 'zset' and kind ~= 'none' then
  redis.call('DEL', streams) -- something else wrote over it; each stream comes back with its next events
end
if not redis.call('ZSCORE', streams, id) then
  local expired = '(' .. string.format('%.0f', now - expiry * 1000)
  local surplus = redis.call('ZCARD', streams) - redis.call('ZCOUNT', streams, '-inf', expired) + 1 - max_streams
  if surplus > 0 and not displace then
    return {0}
  end
  -- ZADD comes first: it is refused by a Redis that is full, before anything has changed.
  redis.call('ZADD', streams, now, id)
  redis.call('ZREMRANGEBYSCORE', streams, '-inf', expired)
  if surplus > 0 then
    for _, idlest in ipairs(redis.call('ZRANGE', streams, 0, surplus)) do
      if idlest ~= id and #reply <= surplus then
        reply[#reply + 1] = idlest
        redis.call('ZREM', streams, idlest)
      end
    end
  end
else
  redis.call('ZADD', streams, now, id)
end
redis.call('PEXPIRE', streams, expiry)
return reply
