-- register: record that streams are active, and keep the number of known streams within a bound.
--
-- Steps: for each stream, set its score if it is known; else check whether it may begin, check the bound, add it, and
-- remove expired streams. At last, name the streams that could be evicted for those added. They stay known until
-- `unregister`: only their own state shows whether they are as idle as their score.
--
-- KEYS[1]  sorted set  the ids of the known streams of a namespace; the score is when each was registered last, Unix µs
--
-- ARGV[1]  now, Unix µs; empty for the server's own clock
-- ARGV[2]  max streams
-- ARGV[3]  expiry, ms
-- ARGV[4]  1 if new streams may evict others, else 0
-- ARGV[5]  1 if new streams may begin, else 0
-- ARGV[6]  most streams to name
-- ARGV[7...] ids of the streams
--
-- Returns {results, excess, {id, score, id, score, ...}}. A result for each stream: 0 if it is known, 1 if it was
-- added, -1 if it is one too many and may evict none, -2 if it may not begin. The excess is how many known streams are
-- over the bound; then those registered longest ago, the oldest first, without those added. These are more than the
-- excess, as some may prove to be active.

local streams = KEYS[1]
local now, max_streams, expiry_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local may_evict, may_begin, most_named = ARGV[4] == '1', ARGV[5] == '1', tonumber(ARGV[6])

local FIRST_STREAM = 7
local KNOWN, ADDED, TOO_MANY, MAY_NOT_BEGIN = 0, 1, -1, -2

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

local added, count_added = {}, 0

local function register(id)
  if redis.call('ZSCORE', streams, id) then
    redis.call('ZADD', streams, now_text, id)
    return KNOWN
  end
  if not may_begin then
    return MAY_NOT_BEGIN
  end
  local known = redis.call('ZCARD', streams) - redis.call('ZCOUNT', streams, '-inf', expired)
  if known >= max_streams and not may_evict then
    return TOO_MANY
  end
  -- ZADD comes first: a full Redis fails it, and then nothing has changed.
  redis.call('ZADD', streams, now_text, id)
  redis.call('ZREMRANGEBYSCORE', streams, '-inf', expired)
  added[id], count_added = true, count_added + 1
  return ADDED
end

-- Returns the streams registered longest ago, without those that they are to make room for.
local function name_idlest()
  local named, idlest = {}, redis.call('ZRANGE', streams, 0, most_named + count_added - 1, 'WITHSCORES')
  for i = 1, #idlest, 2 do
    if not added[idlest[i]] and #named < 2 * most_named then
      named[#named + 1], named[#named + 2] = idlest[i], idlest[i + 1]
    end
  end
  return named
end

local results = {}
for i = FIRST_STREAM, #ARGV do
  results[#results + 1] = register(ARGV[i])
end
redis.call('PEXPIRE', streams, expiry_ms)
local excess = count_added > 0 and math.max(0, redis.call('ZCARD', streams) - max_streams) or 0
return {results, excess, excess > 0 and name_idlest() or {}}
