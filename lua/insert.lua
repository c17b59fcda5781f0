-- insert: decide which events of a batch are admitted and store these, in one atomic step; for one stream or several.
--
-- Steps, for each stream: read its state; tell its time; answer a batch that was applied before; for each collection,
-- count the events limited earlier and decide; number the admitted events and sort them into the lists; write.
-- Nothing is written before everything is decided.
--
-- The rate limiter. A collection, `all` or `error`, keeps its last `size` events and admits at most `size` in any
-- window. It has two limiters, and an event must pass both:
--
--   Sliding-window log: the admission log holds the times of the last `size` admissions. It allows an event while fewer
--   than `size` of them are younger than the window. This makes the quota exact.
--
--   Token bucket: it holds at most `size` tokens, gains `size` per window, and an admission takes one. This spreads the
--   admissions: the log alone would admit `size` events at once, and then none until a window later. Tokens are scaled
--   by the window: one token counts `window`, and each µs adds `size`. So nothing is ever rounded.
--
-- One rule ties the two: if an event is limited, the bucket keeps at most one token. The stream offers too much, and
-- loses the right to a burst until its bucket has filled again.
--
-- Events that are only counted. The surplus of a batch are events without a payload: `size` payloads come before them,
-- so none of them can be admitted, and only their number is sent. They are offered after the payloads. Events limited
-- earlier were limited by the caller itself, which knew that this script would do so; their counts piggyback on its
-- next batch, each with its age. They count at the time when they were limited, before the decision: each in its
-- second, and the youngest leaves the bucket at most one token and what it gained since then.
--
-- Idempotence. The state keeps the last answer to each writer. The same batch number again gets the same answer, with
-- less time left to wait; an older number is stale. Neither changes anything.
--
-- Time. A stream's clock is monotonic: it is the server's clock plus an offset. When the server's clock steps back,
-- the stream's time is held at its last value, and the offset grows by the step. A stream whose state was lost
-- continues from the newest time and number in its admission logs.
--
-- Memory. Redis fails a script for lack of memory at its first write only, and only if that command is flagged
-- deny-oom, as LPUSH and HSET are. So one of these comes first, and a batch is stored wholly or not at all.
--
-- Extra collections, besides `all` and `error`: those that a batch names have limiters of their own, with their own
-- size and window, and the same rules. One that there is not begins only if it is offered events now: counts alone are
-- forgotten. Their events are fields of a hash and no lists, as there are many and they are
-- small. Their admissions are numbered from 1; the log and the events are those of the last numbers. A new one takes
-- the place of the least recently active one of its kind, if there are as many as the batch allows.
--
-- KEYS, five for each stream, or seven if any of the batches has extra collections:
--
-- KEYS[1]  hash    state: clock "<last µs> <offset µs>", seq, quota "<size> <window µs>",
--                  all and error: their buckets "<tokens x window> <changed µs> <last second with limited events>",
--                  renewed "<µs> <expiry ms>",
--                  w:<writer> "<batch number> <µs> <admitted> <retry µs> <admitted> <retry µs>" (all, error),
--                  r<s % 60> "<s> <limited by all> <limited by error>", for each of the last 60 s
-- KEYS[2]  list    all: opaque events, newest first
-- KEYS[3]  list    all:at: the admission log, "<s|k|e><admitted µs>:<seq>", newest first, one beside each event; it is
--                  longer than `all` after a clear, but never longer than the size
-- KEYS[4]  list    error: as all
-- KEYS[5]  list    error:at: as all:at
-- KEYS[6]  hash    extras: by the name of each extra collection
--                  "<tokens x window> <changed µs> <events offered> <first offer µs> <last offer µs>
--                  <events offered in the period of the last offer> <in the period before>
--                  <number of the last admission> <of the oldest in its log> <of the oldest event>"
--                  a period lasts 300 s
-- KEYS[7]  hash    extras:events: "<number>e<name>" events, "<number>a<name>" admissions as in all:at
--
-- ARGV[1]  now, Unix µs; empty for the server's own clock
-- ARGV[2]  size, events
-- ARGV[3]  window, µs
-- ARGV[4]  expiry, ms
-- ARGV[5]  writer, text
-- ARGV[6]  keys for each stream: 5 or 7
--
-- Then for each stream:
--
-- ARGV[7]  batch number
-- ARGV[8]  surplus of all, events
-- ARGV[9]  surplus of error, events
-- ARGV[10] limited earlier by all: "<age µs>:<events> ..."
-- ARGV[11] limited earlier by error: the same
-- ARGV[12] a letter for each payload: s success, k skip, e error; of the errors, a is offered to all only, x to error
--          only; n, m and y are a success, a skip and an error that are offered to extra collections only
-- ARGV[13...] payloads, oldest first
--
-- With seven keys, then how many extra collections the batch has, and for each of them seven arguments: its name, its
-- size, its window in µs, how many of its kind there may be, its surplus, what it limited earlier as above, and the
-- indexes of its payloads, from 1, "<index> ...".
--
-- Returns for each stream {kind, its time µs, all admitted, all retry µs, error admitted, error retry µs, other quota,
-- created, extras}. kind is 0 for a new batch, 1 for a repeated one, 2 for a stale one; admitted is -1 for a collection
-- that had nothing to decide; other quota is that of the batch before, if it differs; created is 1 if there was no
-- state; extras has admitted and retry µs of each extra collection. A stream whose batch met an error gets 0 instead
-- and stays as it was; if it is the only one, the script fails.

local now, size, window_us, expiry_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local quota, writer_field = ARGV[2] .. ' ' .. ARGV[3], 'w:' .. ARGV[5]

-- Each call of the script creates the functions below again, and pays for each file-level local that one of them uses.
-- So a constant of one function stands in it, and most library functions are called by their global names.
local KINDS, FIRST_BATCH, BATCH_ARGUMENTS = tonumber(ARGV[6]), 7, 6
local LIMITED_SECONDS, SECOND_US = 60, 1000000
local FULL = '4503599627370496' -- tokens: more than any bucket holds
local min, max, floor = math.min, math.max, math.floor

if not now then
  local time = redis.call('TIME')
  now = time[1] * SECOND_US + time[2]
end

-- Lua writes a large number with 14 digits; microseconds have 16. Formatting costs, so only new numbers are formatted.
local function text(n)
  return n == 0 and '0' or string.format('%.0f', n)
end

-- Returns the number in a text; nil if there is none, or none that this script can have written.
local function whole(digits)
  local MAX_DIGITS = 16
  return digits and #digits <= MAX_DIGITS and tonumber(digits) or nil
end

local function admission_time(admission)
  return whole(string.match(admission, '^%l(%d+):')) or 0
end

-- Returns the age of an admission, at most the window. One that something else wrote counts as old: it limits no event.
local function age_of(admission, t)
  local admitted_at = admission_time(admission)
  return admitted_at <= t and min(t - admitted_at, window_us) or window_us
end

-- Returns the stream's time, its offset from the server's clock, and the last sequence number.
local function stream_time(clock, stored_sequence, all_log, error_log)
  local last, offset = string.match(clock or '', '^(%d+) (%d+)$')
  last, offset = whole(last), whole(offset)
  local sequence = whole(string.match(stored_sequence or '', '^%d+$'))
  if not last or not sequence then
    local newest, highest = 0, 0
    for _, log in ipairs({all_log, error_log}) do
      local admission = redis.call('LINDEX', log, 0) or ''
      newest = max(newest, admission_time(admission))
      highest = max(highest, whole(string.match(admission, ':(%d+)$')) or 0)
    end
    last, sequence = last or newest, sequence or highest
  end
  local t = max(now + (offset or 0), last)
  return t, t - now, sequence
end

-- Returns the reply to a repeated or stale batch, from the last answer to its writer; nil for a new batch.
local function replay(answer, number, t)
  local REPEATED, STALE = 1, 2
  local last_number = tonumber(string.match(answer or '', '^(%d+) '))
  if not last_number or last_number < number then
    return nil
  end
  local answered_at, all_admitted, all_retry, error_admitted, error_retry, extras =
    string.match(answer, '^%d+ (%d+) (%-?%d+) (%d+) (%-?%d+) (%d+)([ %d]*)$')
  if not answered_at then
    return nil -- something else wrote over it
  elseif last_number > number then
    return {STALE, 0, -1, 0, -1, 0, '', 0, {}}
  end
  local gone, of_extras = t - answered_at, {}
  for admitted, retry in string.gmatch(extras, '(%d+) (%d+)') do
    of_extras[#of_extras + 1], of_extras[#of_extras + 2] = tonumber(admitted), max(0, retry - gone)
  end
  return {
    REPEATED, tonumber(answered_at),
    tonumber(all_admitted), max(0, all_retry - gone),
    tonumber(error_admitted), max(0, error_retry - gone),
    '', 0, of_extras,
  }
end

-- Returns how many of the payloads are offered to `all`, and how many to `error`.
local function count_offered(letters)
  if not string.find(letters, '[exnmy]') then
    return #letters, 0
  end
  local _, error_only = string.gsub(letters, 'x', '')
  local _, both = string.gsub(letters, 'e', '')
  local _, neither = string.gsub(letters, '[nmy]', '')
  return #letters - error_only - neither, both + error_only
end

-- Returns an entry of an admission log, counted from the newest, which is 0; a false value if there is none.
local function admission_at(log, index)
  if type(log) == 'string' then
    return redis.call('LINDEX', log, index)
  end
  local number = log.newest - index
  return number >= log.oldest and redis.call('HGET', log.key, number .. 'a' .. log.name)
end

-- Returns the tokens of a bucket at t, and the last second with limited events, as text.
local function refill(bucket, t)
  local tokens, changed, last_limited = string.match(bucket or '', '^(%d+) (%d+) (%d+)$')
  tokens, changed = whole(tokens), whole(changed)
  if not (tokens and changed) then
    return size * window_us, last_limited
  end
  return min(size * window_us, tokens + min(max(0, t - changed), window_us) * size), last_limited
end

-- Adds up the counts "<age µs>:<events> ..." by second. Returns the sums and the latest second, both nil if all are too
-- old to count, and the age of the youngest.
local function by_second(limited_earlier, t)
  local sums, latest, youngest = nil, nil, nil
  local oldest = floor(t / SECOND_US) - LIMITED_SECONDS
  for age, events in string.gmatch(limited_earlier, '(%d+):(%d+)') do
    age, events = tonumber(age), tonumber(events)
    youngest = min(youngest or age, age)
    local second = floor((t - age) / SECOND_US)
    if second > oldest then
      sums, latest = sums or {}, max(latest or second, second)
      sums[second] = (sums[second] or 0) + events
    end
  end
  return sums, latest, youngest
end

-- Returns how many of `wanted` events the admission log allows. Each wanted event pushes one of the oldest admissions
-- out of the log, and that one must be old. The log is sorted by age, so a binary search finds how many are old. In
-- most calls the first look answers it; reading all of them would cost more.
local function count_allowed(log, wanted, t)
  local low, high, middle = size - wanted, size, size - wanted
  while low < high do
    local admission = admission_at(log, middle)
    if admission and age_of(admission, t) < window_us then
      low = middle + 1
    else
      high = middle
    end
    middle = floor((low + high) / 2)
  end
  return size - low
end

-- Returns in how many µs the collection admits again: when the log allows an event and the bucket has a token.
local function retry_after(log, admitted, tokens, t)
  local log_retry = 0
  if admitted == size then
    log_retry = window_us
  else
    local oldest = admission_at(log, size - admitted - 1)
    if oldest then
      log_retry = window_us - age_of(oldest, t)
    end
  end
  return max(log_retry, math.ceil((window_us - tokens) / size))
end

-- Decides on the events offered to one collection at the stream's time t. Returns how many are admitted, in how many
-- µs to retry, the bucket afterwards, and the limited events by second if there are any; nil if there is nothing to
-- decide.
local function decide(log, bucket, offered, limited_earlier, t, t_text)
  if offered == 0 and limited_earlier == '' then
    return nil
  end
  local tokens, last_limited = refill(bucket, t)
  local limited, latest = nil, nil
  if limited_earlier ~= '' then
    local youngest
    limited, latest, youngest = by_second(limited_earlier, t)
    tokens = youngest and min(tokens, window_us + youngest * size) or tokens
  end
  local admitted = min(count_allowed(log, min(offered, size), t), floor(tokens / window_us))
  tokens = tokens - admitted * window_us
  if admitted < offered then
    tokens = min(tokens, window_us)
    latest, limited = floor(t / SECOND_US), limited or {}
    limited[latest] = (limited[latest] or 0) + offered - admitted
  end
  if latest then
    last_limited = text(max(latest, whole(last_limited) or 0))
  end
  -- A quota of one µs limits nothing: the bucket stays as it is, as it counts in other units.
  local unchanged = window_us == 1 and (string.match(bucket or '', '^%d+ %d+') or FULL .. ' ' .. t_text)
  bucket = (unchanged or text(tokens) .. ' ' .. t_text) .. ' ' .. (whole(last_limited) and last_limited or '0')
  return admitted, retry_after(log, admitted, tokens, t), bucket, limited
end

-- Numbers the admitted events and sorts them into the lists. Returns the last number; for `all` its payloads, the index
-- of the first of them, and its admissions; for `error` its payloads and admissions. If all payloads are offered to
-- `all`, they stay where they are, in ARGV. The loop runs once for each event: hence the counters, and one format for
-- a whole admission.
local function number_admitted(letters, first_payload, sequence, t_text, all_left, error_left, some_not_to_all)
  local none = {}
  if all_left == 0 and error_left == 0 then
    return sequence, none, 1, none, none, none
  end
  local format, sub = string.format, string.sub
  -- %d is much cheaper than %.0f, but on some machines it has 32 bits.
  local digits = sequence + #letters < 2 ^ 31 and '%d' or '%.0f'
  local all_admissions, after_letter = {}, t_text .. ':' .. digits
  if string.find(letters, '^s+$') then -- as most batches are, of which no letter need be looked at
    local admission, count = 's' .. after_letter, min(all_left, #letters)
    for i = 1, count do
      all_admissions[i] = format(admission, sequence + i)
    end
    return sequence + count, ARGV, first_payload, all_admissions, none, none
  end
  local all_payloads, all_first = ARGV, first_payload
  if some_not_to_all then
    all_payloads, all_first = {}, 1
  end
  local error_payloads, error_admissions = none, none
  if error_left > 0 then
    error_payloads, error_admissions = {}, {}
  end
  local all_count, error_count, formats = 0, 0, {}
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
        formats[letter] = ((letter == 's' or letter == 'k') and letter or 'e') .. after_letter
      end
      local admission = format(formats[letter], sequence)
      if to_all then
        all_left, all_count = all_left - 1, all_count + 1
        all_admissions[all_count] = admission
        if some_not_to_all then
          all_payloads[all_count] = ARGV[first_payload + i - 1]
        end
      end
      if to_error then
        error_left, error_count = error_left - 1, error_count + 1
        error_payloads[error_count], error_admissions[error_count] = ARGV[first_payload + i - 1], admission
      end
    end
  end
  return sequence, all_payloads, all_first, all_admissions, error_payloads, error_admissions
end

local function set(fields, field, value)
  local length = #fields
  fields[length + 1], fields[length + 2] = field, value
end

-- Adds limited events to the fields of their seconds. A field that counts a later second stays as it is.
local function count_limited(fields, state, all_limited, error_limited)
  for second in pairs(error_limited) do
    all_limited[second] = all_limited[second] or 0
  end
  for second, by_all in pairs(all_limited) do
    local field, by_error = 'r' .. (second % LIMITED_SECONDS), error_limited[second] or 0
    local at, all_before, error_before =
      string.match(redis.call('HGET', state, field) or '', '^(%d+) (%d+) (%d+)$')
    at = tonumber(at or 0)
    if at == second then
      by_all, by_error = by_all + all_before, by_error + error_before
    end
    if at <= second then
      set(fields, field, text(second) .. ' ' .. text(by_all) .. ' ' .. text(by_error))
    end
  end
end

-- Returns the fields of the writers to forget when a new one comes: those whose answer is older than the horizon, and
-- those with the oldest answers if there would be more than MAX_WRITERS.
local function old_writers(state, t)
  local WRITER_HORIZON_US, MAX_WRITERS = 300000000, 100
  local writers, content, old = {}, redis.call('HGETALL', state), {}
  for i = 1, #content, 2 do
    if string.sub(content[i], 1, 2) == 'w:' then
      local answered_at = tonumber(string.match(content[i + 1], '^%d+ (%d+)') or 0)
      writers[#writers + 1] = {content[i], answered_at}
    end
  end
  table.sort(writers, function(a, b) return a[2] > b[2] end)
  for rank, writer in ipairs(writers) do
    if writer[2] <= t - WRITER_HORIZON_US or rank >= MAX_WRITERS then
      old[#old + 1] = writer[1]
    end
  end
  return old
end

-- Pushes `count` values, beginning with values[first], and trims the list by its own length. Lua's stack limits how
-- many values unpack can return, hence the chunks. A new list gets an expiry, unless all keys get one.
local function push(key, values, first, count, renew)
  local CHUNK = 1000
  local length, before, final = 0, nil, first + count - 1
  for from = first, final, CHUNK do
    local to = min(from + CHUNK - 1, final)
    length = redis.call('LPUSH', key, unpack(values, from, to))
    before = before or length - (to - from + 1)
  end
  if length > size then
    redis.call('LTRIM', key, 0, size - 1)
  end
  if before == 0 and not renew then
    redis.call('PEXPIRE', key, expiry_ms)
  end
end

-- What is for extra collections, in calls that have some.
local begin_extras, decide_extras, number_with_extras, write_extras
if KINDS > 5 then
  local EXTRA_ARGUMENTS, CHUNK = 7, 1000

  -- Returns the state of an extra collection from its field; a new one if that is missing or damaged.
  local function extra_state(name, field)
    local tokens, changed, offered, first, last, recent, before, newest, oldest, kept =
      string.match(field or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
    if not tokens then
      return {
        name = name, offered = 0, last = 0, recent = 0, before = 0, newest = 0, oldest = 1, kept = 1, is_new = true,
      }
    end
    return {
      name = name, bucket = tokens .. ' ' .. changed .. ' 0', offered = tonumber(offered), first = first,
      last = tonumber(last), recent = tonumber(recent), before = tonumber(before),
      newest = tonumber(newest), oldest = tonumber(oldest), kept = tonumber(kept),
    }
  end

  local function kind_of(name)
    return string.match(name, '^[^:]*')
  end

  -- Returns those extra collections that must leave, so that the new ones of a batch have room.
  local function make_room(key, extras, names)
    local by_kind, gone = {}, {}
    local content = redis.call('HGETALL', key)
    for i = 1, #content, 2 do
      local known = extra_state(content[i], content[i + 1])
      local kind = kind_of(known.name)
      by_kind[kind] = by_kind[kind] or {}
      table.insert(by_kind[kind], known)
    end
    for _, of_kind in pairs(by_kind) do
      table.sort(of_kind, function(a, b)
        return a.last < b.last or (a.last == b.last and a.name < b.name)
      end)
    end
    for _, extra in ipairs(extras) do
      if extra.is_new and not extra.is_left_out then
        local of_kind = by_kind[kind_of(extra.name)] or {}
        local added, i = of_kind.added or 0, 1
        while added + #of_kind >= extra.most and of_kind[i] do
          if names[of_kind[i].name] then
            i = i + 1
          else
            gone[#gone + 1] = table.remove(of_kind, i)
          end
        end
        of_kind.added = added + 1
        by_kind[kind_of(extra.name)] = of_kind
      end
    end
    return gone
  end

  -- Returns the extra collections of a batch, with their arguments and states; and those that leave.
  function begin_extras(first_key, first_argument)
    local count = tonumber(ARGV[first_argument])
    if count == 0 then
      return {}, {}
    end
    local key, fields, names, extras = KEYS[first_key + 5], {}, {}, {}
    for i = 1, count do
      fields[i] = ARGV[first_argument + 1 + (i - 1) * EXTRA_ARGUMENTS]
      names[fields[i]] = true
    end
    local stored, some_new = redis.call('HMGET', key, unpack(fields)), false
    redis.call('HGET', KEYS[first_key + 6], '') -- fails for a key of another type before anything is written
    for i = 1, count do
      local extra, from = extra_state(fields[i], stored[i]), first_argument + 1 + (i - 1) * EXTRA_ARGUMENTS
      extra.key = KEYS[first_key + 6]
      extra.size, extra.window = tonumber(ARGV[from + 1]), tonumber(ARGV[from + 2])
      extra.most = tonumber(ARGV[from + 3])
      extra.surplus, extra.earlier, extra.indexes = tonumber(ARGV[from + 4]), ARGV[from + 5], {}
      for index in string.gmatch(ARGV[from + 6], '%d+') do
        extra.indexes[#extra.indexes + 1] = tonumber(index)
      end
      extra.is_left_out = #extra.indexes + extra.surplus == 0 and (extra.is_new or extra.earlier == '')
      extras[i], some_new = extra, some_new or extra.is_new
    end
    return extras, some_new and make_room(key, extras, names) or {}
  end

  -- Counts events that an extra collection was offered until t.
  local function count_offers(extra, events, t, t_text)
    local PERIOD_US = 300000000
    local periods = floor(t / PERIOD_US) - floor(extra.last / PERIOD_US)
    if periods ~= 0 then
      extra.recent, extra.before = 0, periods == 1 and extra.recent or 0
    end
    if extra.offered == 0 then
      extra.first = t_text
    end
    extra.offered, extra.recent, extra.last = extra.offered + events, extra.recent + events, t
  end

  -- Decides for each extra collection at the stream's time t. Returns which of them admitted a payload, by its index.
  function decide_extras(extras, t, t_text)
    local of_payloads, batch_size, batch_window = {}, size, window_us
    for _, extra in ipairs(extras) do
      local offered = #extra.indexes + extra.surplus
      extra.payloads, extra.admissions, extra.admitted, extra.retry = {}, {}, 0, 0
      local all_offered = offered
      for events in string.gmatch(extra.earlier, ':(%d+)') do
        all_offered = all_offered + events
      end
      if not extra.is_left_out then
        count_offers(extra, all_offered, t, t_text)
        size, window_us = extra.size, extra.window -- of the functions above
        extra.admitted, extra.retry, extra.bucket = decide(extra, extra.bucket, offered, extra.earlier, t, t_text)
        size, window_us = batch_size, batch_window
      end
      for i = 1, extra.admitted do
        local index = extra.indexes[i]
        of_payloads[index] = of_payloads[index] or {}
        table.insert(of_payloads[index], extra)
      end
    end
    return of_payloads
  end

  -- Does what number_admitted does, and sorts the payloads of extra collections to these.
  function number_with_extras(letters, first_payload, sequence, t_text, all_left, error_left, of_payloads)
    local statuses = {s = 's', n = 's', k = 'k', m = 'k', e = 'e', a = 'e', x = 'e', y = 'e'}
    local all_payloads, all_admissions, error_payloads, error_admissions = {}, {}, {}, {}
    for i = 1, #letters do
      local letter, payload = string.sub(letters, i, i), ARGV[first_payload + i - 1]
      local to_all = all_left > 0 and string.find('skea', letter, 1, true)
      local to_error = error_left > 0 and (letter == 'e' or letter == 'x')
      if to_all or to_error or of_payloads[i] then
        sequence = sequence + 1
        local admission = statuses[letter] .. t_text .. ':' .. text(sequence)
        if to_all then
          all_left = all_left - 1
          table.insert(all_payloads, payload)
          table.insert(all_admissions, admission)
        end
        if to_error then
          error_left = error_left - 1
          table.insert(error_payloads, payload)
          table.insert(error_admissions, admission)
        end
        for _, extra in ipairs(of_payloads[i] or {}) do
          table.insert(extra.payloads, payload)
          table.insert(extra.admissions, admission)
        end
      end
    end
    return sequence, all_payloads, 1, all_admissions, error_payloads, error_admissions
  end

  local function delete(key, fields)
    for from = 1, #fields, CHUNK do
      redis.call('HDEL', key, unpack(fields, from, min(from + CHUNK - 1, #fields)))
    end
  end

  -- Adds the fields of admissions and events with these numbers.
  local function add_fields(fields, name, from, to)
    for number = from, to do
      fields[#fields + 1], fields[#fields + 2] = number .. 'a' .. name, number .. 'e' .. name
    end
  end

  function write_extras(first_key, extras, gone)
    local key, events = KEYS[first_key + 5], KEYS[first_key + 6]
    local old, changed = {}, {}
    for _, extra in ipairs(gone) do
      add_fields(old, extra.name, extra.oldest, extra.newest)
      redis.call('HDEL', key, extra.name)
    end
    for _, extra in ipairs(extras) do
      for i, payload in ipairs(extra.payloads) do
        local number = extra.newest + i
        local admission, event = number .. 'a' .. extra.name, number .. 'e' .. extra.name
        redis.call('HSET', events, admission, extra.admissions[i], event, payload)
      end
      if #extra.payloads > 0 then
        extra.newest = extra.newest + #extra.payloads
        local oldest = max(extra.oldest, extra.newest - extra.size + 1)
        add_fields(old, extra.name, extra.oldest, oldest - 1)
        extra.oldest, extra.kept = oldest, max(extra.kept, oldest)
      end
      if not extra.is_left_out then
        local tokens, at = string.match(extra.bucket, '^(%d+) (%d+)')
        changed[#changed + 1] = extra.name
        changed[#changed + 1] = table.concat({
          tokens, at, text(extra.offered), extra.first, text(extra.last), text(extra.recent), text(extra.before),
          text(extra.newest), text(extra.oldest), text(extra.kept),
        }, ' ')
      end
    end
    if #changed > 0 then
      redis.call('HSET', key, unpack(changed))
    end
    delete(events, old)
    redis.call('PEXPIRE', key, expiry_ms)
    redis.call('PEXPIRE', events, expiry_ms)
  end
end

-- Writes the admitted events, the changed fields of the state, and the expiry. A key of another type must fail the
-- script before anything is written: so `error`, which was not read yet and is not always written first, is read here.
local function write(first_key, changed, forgotten, renew,
                     all_payloads, all_first, all_admissions, error_payloads, error_admissions)
  local state, all, all_log, error_, error_log = unpack(KEYS, first_key, first_key + 4)
  local all_count, error_count = #all_admissions, #error_admissions
  if error_count > 0 then
    redis.call('LLEN', error_)
  end
  if all_count > 0 then
    push(all, all_payloads, all_first, all_count, renew)
    push(all_log, all_admissions, 1, all_count, renew)
  end
  if error_count > 0 then
    push(error_, error_payloads, 1, error_count, renew)
    push(error_log, error_admissions, 1, error_count, renew)
  end
  redis.call('HSET', state, unpack(changed))
  if forgotten and #forgotten > 0 then
    redis.call('HDEL', state, unpack(forgotten))
  end
  if renew then
    for i = first_key, first_key + KINDS - 1 do
      redis.call('PEXPIRE', KEYS[i], expiry_ms)
    end
  end
end

-- Returns the decisions about extra collections, for the reply, and as text for the answer to the writer.
local function told(extras)
  local decisions, answer = {}, ''
  for i, extra in ipairs(extras) do
    decisions[2 * i - 1], decisions[2 * i] = extra.admitted, extra.retry
    answer = answer .. ' ' .. extra.admitted .. ' ' .. text(extra.retry)
  end
  return decisions, answer
end

-- Inserts the batch whose keys and arguments begin at these indexes. Returns its reply.
local function insert(first_key, first_argument)
  local NEW = 0
  local state, all_log, error_log = KEYS[first_key], KEYS[first_key + 2], KEYS[first_key + 4]
  local first_payload = first_argument + BATCH_ARGUMENTS
  local number, all_surplus, error_surplus, all_earlier, error_earlier, letters =
    unpack(ARGV, first_argument, first_payload - 1)

  local stored = redis.call('HMGET', state, 'clock', writer_field, 'all', 'error', 'seq', 'quota', 'renewed')
  local clock, last_answer, last_quota = stored[1], stored[2], stored[6]
  local t, offset, sequence = stream_time(clock, stored[5], all_log, error_log)
  local replayed = replay(last_answer, tonumber(number), t)
  if replayed then
    return replayed
  end

  local t_text = text(t)
  local all_offered, error_offered = count_offered(letters)
  local all_admitted, all_retry, all_bucket, all_limited =
    decide(all_log, stored[3], all_offered + all_surplus, all_earlier, t, t_text)
  local error_admitted, error_retry, error_bucket, error_limited =
    decide(error_log, stored[4], error_offered + error_surplus, error_earlier, t, t_text)

  local extras, gone = {}, nil
  if KINDS > 5 then
    extras, gone = begin_extras(first_key, first_payload + #letters)
  end
  local all_payloads, all_first, all_admissions, error_payloads, error_admissions
  if #extras > 0 then
    sequence, all_payloads, all_first, all_admissions, error_payloads, error_admissions = number_with_extras(
      letters, first_payload, sequence, t_text, all_admitted or 0, error_admitted or 0,
      decide_extras(extras, t, t_text))
  else
    sequence, all_payloads, all_first, all_admissions, error_payloads, error_admissions = number_admitted(
      letters, first_payload, sequence, t_text, all_admitted or 0, error_admitted or 0, all_offered < #letters)
  end
  all_admitted, all_retry, error_admitted, error_retry =
    all_admitted or -1, all_retry or 0, error_admitted or -1, error_retry or 0

  local changed = {'clock', t_text .. ' ' .. text(offset), 'seq', text(sequence)}
  if last_quota ~= quota then
    set(changed, 'quota', quota)
  end
  if all_bucket then
    set(changed, 'all', all_bucket)
  end
  if error_bucket then
    set(changed, 'error', error_bucket)
  end
  if all_limited or error_limited then
    count_limited(changed, state, all_limited or {}, error_limited or {})
  end
  local extra_decisions, extra_answer = told(extras)
  set(changed, writer_field, number .. ' ' .. t_text .. ' ' .. all_admitted .. ' ' .. text(all_retry)
    .. ' ' .. error_admitted .. ' ' .. text(error_retry) .. extra_answer)
  -- Each PEXPIRE costs, so an expiry is renewed only when an eighth of it has gone.
  local renewed, renewed_expiry = string.match(stored[7] or '', '^(%d+) (%d+)$')
  local renew = renewed_expiry ~= ARGV[4] or t - renewed >= expiry_ms * 1000 / 8
  if renew then
    set(changed, 'renewed', t_text .. ' ' .. ARGV[4])
  end
  local forgotten = not last_answer and old_writers(state, t)

  write(first_key, changed, forgotten, renew,
    all_payloads, all_first, all_admissions, error_payloads, error_admissions)
  if #extras > 0 then
    write_extras(first_key, extras, gone)
  end
  return {
    NEW, t, all_admitted, all_retry, error_admitted, error_retry,
    last_quota and last_quota ~= quota and last_quota or '',
    clock and 0 or 1,
    extra_decisions,
  }
end

local streams, replies, first_argument = #KEYS / KINDS, {}, FIRST_BATCH
for stream = 1, streams do
  local first_key = (stream - 1) * KINDS + 1
  if streams == 1 then
    replies[1] = insert(first_key, first_argument)
  else
    local inserted, reply = pcall(insert, first_key, first_argument)
    replies[stream] = inserted and reply or 0
  end
  local letters = ARGV[first_argument + BATCH_ARGUMENTS - 1]
  first_argument = first_argument + BATCH_ARGUMENTS + #letters
  if KINDS > 5 then
    local EACH_EXTRA = 7
    first_argument = first_argument + 1 + EACH_EXTRA * tonumber(ARGV[first_argument])
  end
end
return replies
