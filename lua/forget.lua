-- forget: strike displaced streams off the known ones, and note how active the others are.
--
-- KEYS[1]  sorted set  as in register
--
-- ARGV[1...]  for each stream: its id; the score it had when it was named: if it has another one now, it came back, and
--             stays as it is; the time of its last activity, µs, or 0 if its keys are gone
--
-- Returns how many were struck off.

local streams = KEYS[1]

local gone = 0
for i = 1, #ARGV, 3 do
  local id, score, active = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if tonumber(redis.call('ZSCORE', streams, id) or -1) == tonumber(score) then
    if active == '0' then
      gone = gone + redis.call('ZREM', streams, id)
    else
      redis.call('ZADD', streams, active, id)
    end
  end
end
return gone
