-- evict: delete one stream to make room for a new one, unless it was active after all.
--
-- Steps: read when the stream was active last; if that is not later than the caller knew, delete its keys.
--
-- KEYS[1]  hash    state, as in insert
-- KEYS[2]  list    all
-- KEYS[3]  list    all:at
-- KEYS[4]  list    error
-- KEYS[5]  list    error:at
-- KEYS[6]  hash    extras
-- KEYS[7]  hash    extras:events
--
-- ARGV[1]  the last activity that the caller knows of, Unix µs
--
-- Returns the time of the last activity if it is later, Unix µs; 0 if the stream is deleted.

local state, known_us = KEYS[1], tonumber(ARGV[1])

local MAX_DIGITS = 16

-- A clock that something else wrote does not protect the stream.
local clock = redis.call('TYPE', state).ok == 'hash' and redis.call('HGET', state, 'clock') or ''
local last, offset = string.match(clock, '^(%d+) (%d+)$')
if last and #last <= MAX_DIGITS and last - offset > known_us then
  return last - offset -- by the server's clock
end
redis.call('DEL', unpack(KEYS))
return 0
