-- new_entries: what was put in front of some lists since they were read last. It only reads: the lists are another
-- program's, and the script runs as EVAL_RO where there is that.
--
-- An entry has no id of its own. It is recognized by a mark: a hash of its length and its last bytes, where the entry
-- of Jitsu has the time when it was written, and its uid. Each list is given with the marks of the entries that were
-- read last; what is in front of the first entry with one of these marks is new.
--
-- Steps, for each list: if its first entry is known, nothing is new; find how many entries are new; return the oldest
-- of them, within the bounds. Who asks again with their marks gets the next ones. Entries are read one by one: fifty of
-- 50 MB at a time would stop the server for seconds.
--
-- KEYS[1...]  lists, newest entry first
--
-- ARGV[1]  after how many bytes of entries the reply is full: it may have one entry more
-- ARGV[2]  most bytes of an entry; of a longer one only its size and its mark are returned
-- ARGV[3]  after how many bytes nothing more is read in this call
-- ARGV[4...]  for each list the marks of known entries, one after the other, the newest first; empty if none is known
--
-- Returns {next, change...}. `next` is the index of the first list that was not looked at, because the reply is full
-- or enough was read, or 0. A change is {index, found, more, entry...}: of which list; 1 if a known entry was found, or
-- none was given, else 0; how many newer entries there are; entries, the oldest first, each a string, or {size, mark}
-- if it is long. For a key of another type it is {index, -1}, and {index, -2} for a list of which too much would be
-- read.

local MARK_LENGTH = 16
local TAIL_BYTES = 100 -- beside the id, which is the end of the key: the time, the uid, and the names of these fields
local ENTRY_BYTES = 500 -- what an entry counts besides its own bytes

local full_bytes, most_bytes, most_read = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local read = 0

local function mark(entry, key)
  return string.sub(redis.sha1hex(#entry .. ':' .. string.sub(entry, -(TAIL_BYTES + #key))), 1, MARK_LENGTH)
end

local function entry_at(key, index)
  local entry = redis.call('LINDEX', key, index)
  read = read + #entry
  return entry
end

local function set_of(marks)
  local known = {}
  for first = 1, #marks, MARK_LENGTH do
    known[string.sub(marks, first, first + MARK_LENGTH - 1)] = true
  end
  return known
end

-- Returns how many entries are in front of the first known one, nil if none is known, or -1 if too much was read.
local function count_new(key, known, length)
  for index = 0, length - 1 do
    if read > most_read then
      return -1
    end
    if known[mark(entry_at(key, index), key)] then
      return index
    end
  end
end

-- Adds the oldest of the `count` first entries of a list to `change`, until the reply is full or enough was read;
-- returns how many newer ones are left, and how many bytes the reply has then.
local function add_oldest(change, key, count, bytes)
  while count > 0 and bytes < full_bytes and read <= most_read do
    local entry = entry_at(key, count - 1)
    bytes = bytes + ENTRY_BYTES
    if #entry > most_bytes then
      change[#change + 1] = {#entry, mark(entry, key)}
    else
      change[#change + 1] = entry
      bytes = bytes + #entry
    end
    count = count - 1
  end
  return count, bytes
end

local reply, bytes = {0}, 0
for index, key in ipairs(KEYS) do
  if bytes >= full_bytes or read > most_read then
    reply[1] = index
    break
  end
  local marks = ARGV[3 + index]
  local head = redis.pcall('LINDEX', key, 0)
  if type(head) == 'table' and head.err then
    reply[#reply + 1] = {index, -1}
  elseif head and mark(head, key) ~= string.sub(marks, 1, MARK_LENGTH) then
    read = read + #head
    local length = redis.call('LLEN', key)
    local began = read
    local count = marks ~= '' and count_new(key, set_of(marks), length)
    if count == -1 and began == #head then
      reply[#reply + 1] = {index, -2}
    elseif count == -1 then
      reply[1] = index -- it has a call of its own
      break
    else
      local change = {index, (count or marks == '') and 1 or 0, 0}
      read = 0
      change[3], bytes = add_oldest(change, key, count or length, bytes)
      reply[#reply + 1] = change
    end
  elseif head then
    read = read + #head
  end
end
return reply
