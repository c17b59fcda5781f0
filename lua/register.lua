-- register: note that streams are active, within a bound on how many there are.
--
-- Steps: forget streams that have expired; refresh a known stream; add a new one, or refuse it; name those that are
-- to make room. They stay known until `forget`: whether they are as idle as it seems is told by their own state.
--
-- KEYS[1]  sorted set  ids of the known streams of a namespace, scored by when they were last registered, µs
--
-- ARGV[1]  now, Unix µs; empty for the server's own clock
-- ARGV[2]  max streams
-- ARGV[3]  expiry, ms
-- ARGV[4]  displace: 1 if a new stream may push out the least recently active one
-- ARGV[5]  most streams to name
-- ARGV[6...] ids
--
-- Returns for each id {-1} if there is no room, else {surplus, id, score, id, score, ...}: how many streams there are
-- too many, and which are to leave, the least recently registered first; a few more than that, as some may turn out to
-- be active.

local streams = KEYS[1]
local now, max_streams, expiry = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local displace, most, first_id = ARGV[4] == '1', tonumber(ARGV[5]), 6

if now == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local expired = '(' .. string.format('%.0f', now - expiry * 1000)
now = string.format('%.0f', now)
local kind = redis.call('TYPE', streams).ok
if kind ~= 'zset' and kind ~= 'none' then
  redis.call('DEL', streams) -- something else wrote over it; each stream comes back with its next events
end

local function register(id)
  if redis.call('ZSCORE', streams, id) then
    redis.call('ZADD', streams, now, id)
    return {0}
  end
  local surplus = redis.call('ZCARD', streams) - redis.call('ZCOUNT', streams, '-inf', expired) + 1 - max_streams
  if surplus > 0 and not displace then
    return {-1}
  end
  -- ZADD comes first: it is refused by a Redis that is full, before anything has changed.
  redis.call('ZADD', streams, now, id)
  redis.call('ZREMRANGEBYSCORE', streams, '-inf', expired)
  if surplus <= 0 then
    return {0}
  end
  local reply, idlest = {surplus}, redis.call('ZRANGE', streams, 0, most, 'WITHSCORES')
  for i = 1, #idlest, 2 do
    if idlest[i] ~= id and #reply < 2 * most then
      reply[#reply + 1], reply[#reply + 2] = idlest[i], idlest[i + 1]
    end
  end
  return reply
end

local replies = {}
for i = first_id, #ARGV do
  replies[#replies + 1] = register(ARGV[i])
end
redis.call('PEXPIRE', streams, expiry)
return replies
