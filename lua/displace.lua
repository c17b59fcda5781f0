-- displace: delete a stream that makes room for another, unless it is in use after all.
--
-- Steps: see when the stream was active; delete its keys if that is not later than was thought.
--
-- KEYS[1..5]  the keys of the stream, as in insert; KEYS[1] is its state
--
-- ARGV[1]  when it is thought to have been active last, Unix µs
--
-- Returns the time of its last activity if that is later, in µs; 0 if it is gone.

local thought = tonumber(ARGV[1])

local clock = redis.call('TYPE', KEYS[1]).ok == 'hash' and redis.call('HGET', KEYS[1], 'clock') or ''
local last, offset = string.match(clock, '^(%d+) (%d+)$')
if last and #last <= 16 and last - offset > thought then
  return last - offset
end
redis.call('DEL', unpack(KEYS))
return 0
