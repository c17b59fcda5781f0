-- lease: give a lease to an owner, renew it, or give it back.
--
-- KEYS[1]  hash    its field `owner` names the owner; the key expires with the lease
--
-- ARGV[1]  the owner that asks
-- ARGV[2]  milliseconds from now until the lease ends; 0 gives it back
--
-- Returns 1 if the owner has the lease now, or gave it back, and 0 if another one has it.

local lease = KEYS[1]
local owner, milliseconds = ARGV[1], tonumber(ARGV[2])

local kind = redis.call('TYPE', lease).ok
if kind ~= 'none' and kind ~= 'hash' then
  redis.call('DEL', lease) -- something else wrote it
end
local current = redis.call('HGET', lease, 'owner')
if current and current ~= owner then
  return 0
end
if milliseconds > 0 then
  redis.call('HSET', lease, 'owner', owner)
  redis.call('PEXPIRE', lease, milliseconds)
else
  redis.call('DEL', lease)
end
return 1
