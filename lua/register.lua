-- register: note that a stream is active, within a bound on how many streams there are.
--
-- Steps: forget streams that have expired; refresh a known stream; add a new one, or refuse it; name those that are
-- to make room. They stay known until `forget`: whether they are as idle as it seems is told by their own state.
--
-- KEYS[1]  sorted set  ids of the known streams of a namespace, scored by when they were last registered, µs
--
-- ARGV[1]  now, Unix µs; empty for the server's own clock
-- ARGV[2]  id
-- ARGV[3]  max streams
-- ARGV[4]  expiry, ms
-- ARGV[5]  displace: 1 if a new stream may push out the least recently active one
-- ARGV[6]  most streams to name
--
-- Returns {-1} if there is no room, else {surplus, id, score, id, score, ...}: how many streams there are too many, and
-- which are to leave, the least recently registered first; a few more than that, as some may turn out to be active.

local streams = KEYS[1]
local now, id, max_streams, expiry = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local displace, most = ARGV[5] == '1', tonumber(ARGV[6])

if now == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
now = string.format('%.0f', now)
local kind = redis.call('TYPE', streams).ok
if kind ~= 'zset' and kind ~= 'none' then
  redis.call('DEL', streams) -- something else wrote over it; each stream comes back with its next events
end
local reply = {0}
if not redis.call('ZSCORE', streams, id) then
  local expired = '(' .. string.format('%.0f', now - expiry * 1000)
  local surplus = redis.call('ZCARD', streams) - redis.call('ZCOUNT', streams, '-inf', expired) + 1 - max_streams
  if surplus > 0 and not displace then
    return {-1}
  end
  -- ZADD comes first: it is refused by a Redis that is full, before anything has changed.
  redis.call('ZADD', streams, now, id)
  redis.call('ZREMRANGEBYSCORE', streams, '-inf', expired)
  if surplus > 0 then
    reply[1] = surplus
    local idlest = redis.call('ZRANGE', streams, 0, most, 'WITHSCORES')
    for i = 1, #idlest, 2 do
      if idlest[i] ~= id and #reply < 2 * most then
        reply[#reply + 1], reply[#reply + 2] = idlest[i], idlest[i + 1]
      end
    end
  end
else
  redis.call('ZADD', streams, now, id)
end
redis.call('PEXPIRE', streams, expiry)
return reply
