-- register: record that streams are active, and keep the number of known streams within a bound.
--
-- Steps, for each stream: if it is known, set its score; else check the bound, add it, remove expired streams, and name
-- the streams that could be evicted for it. These stay known until `unregister`: only their own state shows whether
-- they are as idle as their score.
--
-- KEYS[1]  sorted set  the ids of the known streams of a namespace; the score is when each was registered last, Unix µs
--
-- ARGV[1]  now, Unix µs; empty for the server's own clock
-- ARGV[2]  max streams
-- ARGV[3]  expiry, ms
-- ARGV[4]  1 if a new stream may evict others, else 0
-- ARGV[5]  most streams to name
-- ARGV[6...] ids of the streams
--
-- Returns for each stream {-1} if it is one too many and may evict none; else {excess, id, score, id, score, ...}: how
-- many known streams are over the bound, and those registered longest ago, the oldest first. These are more than the
-- excess, as some may prove to be active.

local streams = KEYS[1]
local now, max_streams, expiry_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local may_evict, most_named = ARGV[4] == '1', tonumber(ARGV[5])

local FIRST_STREAM, TOO_MANY = 6, -1

if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local now_text = string.format('%.0f', now)
local expired = '(' .. string.format('%.0f', now - expiry_ms * 1000)

local kind = redis.call('TYPE', streams).ok
if kind ~= 'zset' and kind ~= 'none' then
  redis.call('DEL', streams) -- something else wrote over it; each stream comes back with its next events
end

-- Returns a reply that names the streams registered longest ago, without the one that they are to make room for.
local function name_idlest(excess, new_id)
  local reply, idlest = {excess}, redis.call('ZRANGE', streams, 0, most_named, 'WITHSCORES')
  for i = 1, #idlest, 2 do
    if idlest[i] ~= new_id and #reply < 2 * most_named then
      reply[#reply + 1], reply[#reply + 2] = idlest[i], idlest[i + 1]
    end
  end
  return reply
end

local function register(id)
  if redis.call('ZSCORE', streams, id) then
    redis.call('ZADD', streams, now_text, id)
    return {0}
  end
  local excess = redis.call('ZCARD', streams) - redis.call('ZCOUNT', streams, '-inf', expired) + 1 - max_streams
  if excess > 0 and not may_evict then
    return {TOO_MANY}
  end
  -- ZADD comes first: a full Redis fails it, and then nothing has changed.
  redis.call('ZADD', streams, now_text, id)
  redis.call('ZREMRANGEBYSCORE', streams, '-inf', expired)
  return excess > 0 and name_idlest(excess, id) or {0}
end

local replies = {}
for i = FIRST_STREAM, #ARGV do
  replies[#replies + 1] = register(ARGV[i])
end
redis.call('PEXPIRE', streams, expiry_ms)
return replies
