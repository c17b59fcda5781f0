-- unregister: remove evicted streams from the known ones, and correct the last activity of the others.
--
-- Steps, for each stream: skip it if its score has changed; remove it if it was evicted, else set its score.
--
-- KEYS[1]  sorted set  the known streams, as in register
--
-- ARGV, for each stream:
--
-- ARGV[1]  id
-- ARGV[2]  the score that register returned; if it is another one now, the stream was registered again, and is skipped
-- ARGV[3]  its last activity, Unix µs; 0 if it was evicted
--
-- Returns how many streams were removed.

local streams = KEYS[1]

local STREAM_ARGUMENTS = 3

local removed = 0
for i = 1, #ARGV, STREAM_ARGUMENTS do
  local id, score, last_active = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if tonumber(redis.call('ZSCORE', streams, id) or -1) == tonumber(score) then
    if last_active == '0' then
      removed = removed + redis.call('ZREM', streams, id)
    else
      redis.call('ZADD', streams, last_active, id)
    end
  end
end
return removed
