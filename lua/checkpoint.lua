-- checkpoint: change what a source keeps, if the caller has its lease.
--
-- KEYS[1]  hash    the lease, as in lease
-- KEYS[2]  hash    the checkpoints: names and values
--
-- ARGV[1]  the owner that asks
-- ARGV[2]  milliseconds until the checkpoints expire
-- ARGV[3...]  pairs of a name and a value; an empty value removes the checkpoint
--
-- Returns 1 if the owner has the lease, else 0: then nothing was changed.

local lease, checkpoints = KEYS[1], KEYS[2]
local owner, expiry_ms = ARGV[1], ARGV[2]

if redis.call('TYPE', lease).ok ~= 'hash' or redis.call('HGET', lease, 'owner') ~= owner then
  return 0
end
local kind = redis.call('TYPE', checkpoints).ok
if kind ~= 'none' and kind ~= 'hash' then
  redis.call('DEL', checkpoints) -- something else wrote it
end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', checkpoints, ARGV[i])
  else
    redis.call('HSET', checkpoints, ARGV[i], ARGV[i + 1])
  end
end
redis.call('PEXPIRE', checkpoints, expiry_ms)
return 1
