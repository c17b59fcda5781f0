-- insert: judge a batch and keep what is admitted, in one step, idempotently; for each of some streams by itself.
--
-- Steps: tell the stream's time; answer a batch that was seen before; judge both collections (log and bucket);
-- then write: state first, events and stamps, trim, expiry. Nothing is written before everything is decided.
--
-- KEYS, five for each stream:
--
-- KEYS[1]  hash    state: clock "<last µs> <offset µs>", seq, quota "<size> <window µs>",
--                  all and error "<tokens x window> <changed µs> <last refusal s>",
--                  renewed "<µs> <expiry ms>",
--                  w:<writer> "<number> <µs> <admitted> <retry µs> <admitted> <retry µs>" (all, error),
--                  r<s % 60> "<s> <refused by all> <refused by error>"
-- KEYS[2]  list    all: opaque events, newest first
-- KEYS[3]  list    all:at: "<s|k|e><admitted µs>:<seq>" beside each event, and as many stamps as the size
-- KEYS[4]  list    error
-- KEYS[5]  list    error:at
--
-- ARGV[1]  now, Unix µs; empty for the server's own clock
-- ARGV[2]  size, events
-- ARGV[3]  window, µs
-- ARGV[4]  expiry, ms
-- ARGV[5]  writer, text
--
-- Then for each stream:
--
-- ARGV[6]  number of the writer's batch
-- ARGV[7]  surplus of all: events offered after the payloads, as a count
-- ARGV[8]  surplus of error
-- ARGV[9]  carried refusals of all: "<age µs>:<count> ..."
-- ARGV[10] carried refusals of error
-- ARGV[11] a letter per payload: s success, k skip, e error; of errors, a is for all alone, x for error alone
-- ARGV[12...] payloads, oldest first
--
-- Returns for each stream {kind, its time µs, all admitted, all retry µs, error admitted, error retry µs, other quota,
-- created}; kind is 0 for a new batch, 1 for one seen before, 2 for one older than the last; admitted is -1 where a
-- collection was not judged; created is 1 if there was no state. A stream whose batch could not be judged is 0 instead
-- and left as it was; where it is the only one, the error is the script's.

local given_now, size, window, expiry_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local writer, KINDS, FIRST_BATCH, BATCH_ARGUMENTS = 'w:' .. ARGV[5], 5, 6, 6

local MINUTE, WRITER_HORIZON, MAX_WRITERS, CHUNK, MAX_DIGITS = 60, 300000000, 100, 1000, 16
local min, max, floor, ceil = math.min, math.max, math.floor, math.ceil
local format, sub = string.format, string.sub

-- Lua writes a large number with 14 digits; microseconds have 16. This costs, so it is done for what is new only.
local function text(n)
  return n == 0 and '0' or format('%.0f', n)
end

-- The number in a text; nil if it is none that was ever written here.
local function whole(digits)
  return digits and #digits <= MAX_DIGITS and tonumber(digits) or nil
end

local function stamp_time(stamp)
  return whole(string.match(stamp, '^%l(%d+):')) or 0
end

-- How old an admission is, a window at most. What something else wrote counts as old: it locks nobody out.
local function age_of(stamp, t)
  local stamped_at = stamp_time(stamp)
  return stamped_at <= t and min(t - stamped_at, window) or window
end

-- Judges `offered` events of one collection at the stream's time t. Returns how many are admitted, the bucket after it,
-- when it opens, and the refusals to count by second, if any; nil if nothing was offered and nothing carried.
local function judge(t, t_text, at_key, bucket, offered, carried)
  if offered == 0 and carried == '' then
    return nil
  end
  local refused, youngest = nil, nil
  local oldest_second = floor(t / 1000000) - MINUTE
  for age, count in string.gmatch(carried, '(%d+):(%d+)') do
    age, count = tonumber(age), tonumber(count)
    youngest = min(youngest or age, age)
    local second = floor((t - age) / 1000000)
    if second > oldest_second then
      refused = refused or {}
      refused[second] = (refused[second] or 0) + count
    end
  end

  local tokens, changed, last_refusal = string.match(bucket or '', '^(%d+) (%d+) (%d+)$')
  tokens, changed = whole(tokens), whole(changed)
  if tokens and changed then
    tokens = min(size * window, tokens + min(max(0, t - changed), window) * size)
  else
    tokens = size * window
  end
  if youngest then
    tokens = min(tokens, window + youngest * size)
  end

  -- Of the places that the batch would push out, those with a young stamp are taken. Stamps are newest first, so
  -- the young ones come first: a binary search finds how many. It looks at the very first before it halves, as
  -- mostly none is young; to read them all would cost more than the search.
  local places = min(offered, size)
  local low, high, middle = size - places, size, size - places
  while low < high do
    local stamp = redis.call('LINDEX', at_key, middle)
    if stamp and age_of(stamp, t) < window then
      low = middle + 1
    else
      high = middle
    end
    middle = floor((low + high) / 2)
  end
  local admitted = min(size - low, floor(tokens / window))
  tokens = tokens - admitted * window
  if admitted < offered then
    tokens = min(tokens, window)
    local second = floor(t / 1000000)
    refused = refused or {}
    refused[second] = (refused[second] or 0) + offered - admitted
  end

  local opens = t
  if admitted == size then
    opens = t + window
  else
    local oldest = redis.call('LINDEX', at_key, size - admitted - 1)
    if oldest then
      opens = t + window - age_of(oldest, t)
    end
  end
  opens = max(opens, t + ceil((window - tokens) / size))
  if refused then
    local last = whole(last_refusal) or 0
    for second in pairs(refused) do
      last = max(last, second)
    end
    last_refusal = text(last)
  end
  return admitted, text(tokens) .. ' ' .. t_text .. ' ' .. (whole(last_refusal) and last_refusal or '0'), opens, refused
end

-- Lua's stack bounds what unpack can carry, hence the chunks; each list is trimmed by its own length.
local function push(key, values, first, kept, expires)
  local length, before, final = 0, nil, first + kept - 1
  for from = first, final, CHUNK do
    local to = min(from + CHUNK - 1, final)
    length = redis.call('LPUSH', key, unpack(values, from, to))
    before = before or length - (to - from + 1)
  end
  if length > size then
    redis.call('LTRIM', key, 0, size - 1)
  end
  if before == 0 and expires then
    redis.call('PEXPIRE', key, expiry_ms)
  end
end

local now = tonumber(given_now)
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- Inserts the batch that follows so many keys and arguments; returns its reply.
local function insert(keys_before, arguments_before)
  local state, all, all_at = KEYS[keys_before + 1], KEYS[keys_before + 2], KEYS[keys_before + 3]
  local error_, error_at = KEYS[keys_before + 4], KEYS[keys_before + 5]
  local number_text, number = ARGV[arguments_before + 1], tonumber(ARGV[arguments_before + 1])
  local all_surplus, error_surplus = tonumber(ARGV[arguments_before + 2]), tonumber(ARGV[arguments_before + 3])
  local all_carried, error_carried = ARGV[arguments_before + 4], ARGV[arguments_before + 5]
  local letters, first_payload = ARGV[arguments_before + 6], arguments_before + 7

  -- The stream's time: the server's, held back from ever running backwards. A lost state goes on at its stamps.
  local stored = redis.call('HMGET', state, 'clock', writer, 'all', 'error', 'seq', 'quota', 'renewed')
  local stamped, stamped_sequence = 0, 0
  local last, offset = string.match(stored[1] or '', '^(%d+) (%d+)$')
  last, offset = whole(last), whole(offset)
  local sequence = whole(string.match(stored[5] or '', '^%d+$'))
  if not last or not sequence then
    for _, key in ipairs({all_at, error_at}) do
      local newest = redis.call('LINDEX', key, 0) or ''
      stamped = max(stamped, stamp_time(newest))
      stamped_sequence = max(stamped_sequence, whole(string.match(newest, ':(%d+)$')) or 0)
    end
  end
  sequence = sequence or stamped_sequence
  local t = max(now + (offset or 0), last or stamped)
  offset = t - now
  local t_text = text(t)

  -- A batch that was seen before gets its first answer, with less time left to wait.
  local seen, seen_at, seen_all, seen_all_retry, seen_error, seen_error_retry =
    string.match(stored[2] or '', '^(%d+) (%d+) (%-?%d+) (%d+) (%-?%d+) (%d+)$')
  if seen then
    seen = tonumber(seen)
    if seen == number then
      local gone = t - seen_at
      return {
        1, tonumber(seen_at),
        tonumber(seen_all), max(0, seen_all_retry - gone),
        tonumber(seen_error), max(0, seen_error_retry - gone),
        '', 0,
      }
    elseif seen > number then
      return {2, 0, -1, 0, -1, 0, '', 0}
    end
  end

  local _, for_error_alone, for_both = nil, 0, 0
  if string.find(letters, '[ex]') then
    _, for_error_alone = string.gsub(letters, 'x', '')
    _, for_both = string.gsub(letters, 'e', '')
  end
  local all_admitted, all_bucket, all_opens, all_refused =
    judge(t, t_text, all_at, stored[3], all_surplus + #letters - for_error_alone, all_carried)
  local error_admitted, error_bucket, error_opens, error_refused =
    judge(t, t_text, error_at, stored[4], error_surplus + for_both + for_error_alone, error_carried)

  local all_retry, error_retry = (all_opens or t) - t, (error_opens or t) - t

  -- Number what is admitted, and sort it into the lists. What comes to `all` is the first payloads, as they stand,
  -- unless some are for error alone. This runs once an event, hence the counters and one format for the whole stamp.
  local all_values, all_first = ARGV, first_payload
  if for_error_alone > 0 then
    all_values, all_first = {}, 1
  end
  local all_stamps, error_values, error_stamps = {}, {}, {}
  local all_left, error_left = all_admitted or 0, error_admitted or 0
  local all_kept, error_kept = 0, 0
  -- %d is much cheaper than %.0f, but on some machines it has 32 bits.
  local digits = sequence + #letters < 2147483648 and '%d' or '%.0f'
  local time_text, formats = t_text .. ':' .. digits, {}
  for i = 1, #letters do
    if all_left == 0 and error_left == 0 then
      break
    end
    local letter = sub(letters, i, i)
    local to_all = all_left > 0 and letter ~= 'x'
    local to_error = error_left > 0 and (letter == 'e' or letter == 'x')
    if to_all or to_error then
      sequence = sequence + 1
      if not formats[letter] then
        formats[letter] = ((letter == 's' or letter == 'k') and letter or 'e') .. time_text
      end
      local stamp = format(formats[letter], sequence)
      if to_all then
        all_left, all_kept = all_left - 1, all_kept + 1
        all_stamps[all_kept] = stamp
        if all_first == 1 then
          all_values[all_kept] = ARGV[first_payload + i - 1]
        end
      end
      if to_error then
        error_left, error_kept = error_left - 1, error_kept + 1
        error_values[error_kept], error_stamps[error_kept] = ARGV[first_payload + i - 1], stamp
      end
    end
  end

  local fields = {'clock', t_text .. ' ' .. text(offset), 'seq', text(sequence)}
  local function set(field, value)
    fields[#fields + 1], fields[#fields + 2] = field, value
  end
  local function count(second, by_all, by_error)
    local field = 'r' .. (second % MINUTE)
    local at, all_before, error_before = string.match(redis.call('HGET', state, field) or '', '^(%d+) (%d+) (%d+)$')
    at = tonumber(at or 0)
    if at == second then
      by_all, by_error = by_all + all_before, by_error + error_before
    end
    if at <= second then
      set(field, text(second) .. ' ' .. text(by_all) .. ' ' .. text(by_error))
    end
  end
  local quota = ARGV[2] .. ' ' .. ARGV[3]
  if stored[6] ~= quota then
    set('quota', quota)
  end
  if all_admitted then
    set('all', all_bucket)
  end
  if error_admitted then
    set('error', error_bucket)
  end
  if all_refused or error_refused then
    all_refused, error_refused = all_refused or {}, error_refused or {}
    for second, n in pairs(all_refused) do
      count(second, n, error_refused[second] or 0)
    end
    for second, n in pairs(error_refused) do
      if not all_refused[second] then
        count(second, 0, n)
      end
    end
  end
  set(writer, table.concat({
    number_text, t_text, all_admitted or -1, text(all_retry), error_admitted or -1, text(error_retry),
  }, ' '))
  -- Each PEXPIRE costs, so an expiry is renewed when an eighth of it has gone.
  local renewed, renewed_expiry = string.match(stored[7] or '', '^(%d+) (%d+)$')
  local renew = renewed_expiry ~= ARGV[4] or t - renewed >= expiry_ms * 125
  if renew then
    set('renewed', t_text .. ' ' .. ARGV[4])
  end

  -- A new writer is the moment to forget those that fell silent.
  local forgotten = {}
  if not seen then
    local writers, content = {}, redis.call('HGETALL', state)
    for i = 1, #content, 2 do
      if string.sub(content[i], 1, 2) == 'w:' then
        local answered = tonumber(string.match(content[i + 1], '^%d+ (%d+)') or 0)
        writers[#writers + 1] = {content[i], answered}
      end
    end
    table.sort(writers, function(a, b) return a[2] > b[2] end)
    for rank, known in ipairs(writers) do
      if known[2] <= t - WRITER_HORIZON or rank >= MAX_WRITERS then
        forgotten[#forgotten + 1] = known[1]
      end
    end
  end

  -- The first write is one that a Redis that is full refuses, and that a key of another type fails; what the others
  -- write has been read above, but for one list.
  if error_kept > 0 then
    redis.call('LLEN', error_)
  end
  push(all, all_values, all_first, all_kept, not renew)
  redis.call('HSET', state, unpack(fields))
  if #forgotten > 0 then
    redis.call('HDEL', state, unpack(forgotten))
  end
  push(all_at, all_stamps, 1, all_kept, not renew)
  push(error_, error_values, 1, error_kept, not renew)
  push(error_at, error_stamps, 1, error_kept, not renew)
  if renew then
    for place = keys_before + 1, keys_before + KINDS do
      redis.call('PEXPIRE', KEYS[place], expiry_ms)
    end
  end

  local other_quota = (stored[6] and stored[6] ~= quota) and stored[6] or ''
  return {
    0, t,
    all_admitted or -1, all_retry,
    error_admitted or -1, error_retry,
    other_quota,
    stored[1] and 0 or 1,
  }
end

local streams, replies, arguments_before = #KEYS / KINDS, {}, FIRST_BATCH - 1
for stream = 1, streams do
  local keys_before = (stream - 1) * KINDS
  if streams == 1 then
    replies[1] = insert(0, arguments_before)
  else
    local inserted, reply = pcall(insert, keys_before, arguments_before)
    replies[stream] = inserted and reply or 0
  end
  arguments_before = arguments_before + BATCH_ARGUMENTS + #ARGV[arguments_before + BATCH_ARGUMENTS]
end
return replies
