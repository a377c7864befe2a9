-- The limits of one mailbox, as one app may use it, over all processes and hosts. Times are Redis' own.
--
-- KEYS  1 leases: sorted set, place -> when it lapses      2 waiting: sorted set, "ticket|places" -> when it gives up
--       3 state: hash, calls (all, reads, acts) per minute, pause, strikes
--       4 sends: sorted set, ticket -> when      5 paused_app: when the pause of the whole app ends
-- ARGV  1 operation, 2 ticket ("process:number"), 3 places; the rest by operation. All durations in ms.
-- A ticket's operations can be repeated: a lost answer does no harm.

local LEASES, WAITING, STATE, SENDS, PAUSED_APP = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local operation, ticket, places = ARGV[1], ARGV[2], tonumber(ARGV[3])
local channel_prefix, in_flight, lease_ms = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])

local GRANTED, QUEUED, COME_BACK, OWN_TURN = 0, 1, 2, 3
local MINUTE, CALL_MINUTES = 60000, 11
local SENDS_WINDOW = 61000 -- a second more than Exchange's minute, for the time calls are on their way
local HELD_AT_FIRST = 20 -- too low only lets too many in line once, too high keeps places empty
local STATE_LIFE = 13 * MINUTE

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local state = redis.call('HMGET', STATE, 'paused_until', 'held_ms', 'turn')
local held_ms, turn = tonumber(state[2]), tonumber(state[3] or 0)
local paused_ms = math.max(tonumber(state[1] or 0), tonumber(redis.call('GET', PAUSED_APP) or 0)) - now

local function free_places()
  redis.call('ZREMRANGEBYSCORE', LEASES, '-inf', now)
  return in_flight - redis.call('ZCARD', LEASES)
end

local function take(whose, count)
  for place = 1, count do
    redis.call('ZADD', LEASES, now + lease_ms, whose .. '#' .. place)
  end
  redis.call('PEXPIRE', LEASES, lease_ms)
end

-- Gives free places to those who wait, the longest waiting first.
local function serve()
  if paused_ms > 0 then return end
  redis.call('ZREMRANGEBYSCORE', WAITING, '-inf', now)
  local free = free_places()
  while free > 0 do
    local head = redis.call('ZRANGE', WAITING, 0, 0)[1]
    if not head then return end
    local whose, count = string.match(head, '^(.*)|(%d+)$')
    count = tonumber(count)
    if count > free then return end
    redis.call('ZREM', WAITING, head)
    take(whose, count)
    free = free - count
    if whose ~= ticket then
      redis.call('PUBLISH', channel_prefix .. string.match(whose, '^[^:]*'), whose)
    end
  end
end

local function leave()
  redis.call('ZREM', WAITING, ticket .. '|' .. places)
  for place = 1, places do
    redis.call('ZREM', LEASES, ticket .. '#' .. place)
  end
end

-- How long until the window has room again for calls, and for those of this kind; 0 if it has.
local function calls_full_for(limit, own_limit, own)
  local newest = math.floor(now / MINUTE)
  local names = {}
  for minute = newest - CALL_MINUTES + 1, newest do
    names[#names + 1] = 'calls:' .. minute
    names[#names + 1] = own .. ':' .. minute
  end
  local counts = redis.call('HMGET', STATE, unpack(names))
  local total, oldest, of_own, oldest_own = 0, newest, 0, newest
  for at = CALL_MINUTES, 1, -1 do
    local every, mine = tonumber(counts[2 * at - 1] or 0), tonumber(counts[2 * at] or 0)
    if every > 0 then total, oldest = total + every, newest - CALL_MINUTES + at end
    if mine > 0 then of_own, oldest_own = of_own + mine, newest - CALL_MINUTES + at end
  end
  local full_for = 0
  if total + places > limit then full_for = (oldest + CALL_MINUTES) * MINUTE - now end
  if of_own + places > own_limit then
    full_for = math.max(full_for, (oldest_own + CALL_MINUTES) * MINUTE - now)
  end
  return full_for
end

local function count_calls(own)
  local minute = math.floor(now / MINUTE)
  redis.call('HINCRBY', STATE, own .. ':' .. minute, places)
  if redis.call('HINCRBY', STATE, 'calls:' .. minute, places) > places then return end
  -- The first of a new minute puts old ones away.
  for _, name in ipairs(redis.call('HKEYS', STATE)) do
    local counted = string.match(name, '^%a+:(%d+)$')
    if counted and tonumber(counted) <= minute - CALL_MINUTES then redis.call('HDEL', STATE, name) end
  end
  redis.call('PEXPIRE', STATE, STATE_LIFE)
end

local function sends_full_for(limit)
  redis.call('ZREMRANGEBYSCORE', SENDS, '-inf', now - SENDS_WINDOW)
  if redis.call('ZCARD', SENDS) < limit then return 0 end
  local oldest = redis.call('ZRANGE', SENDS, 0, 0, 'WITHSCORES')
  return oldest[2] + SENDS_WINDOW - now + 1
end

-- When there are more in line than can be served soon, each gets its own time to come back, a little faster than the
-- line moves: a common time would bring all of them back at once, a slower pace leave places empty.
local function own_turn(waiting, queue_ms, come_back_ms)
  local pace = (held_ms or HELD_AT_FIRST) * places / in_flight
  if waiting < in_flight or (waiting + 1) * pace <= queue_ms then return 0 end
  local mine = math.min(math.max(turn, now + queue_ms / 2) + 0.8 * pace, now + come_back_ms)
  redis.call('HSET', STATE, 'turn', mine)
  return mine - now
end

if operation == 'enter' then
  local calls_limit, own_limit, sends_limit = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
  local wait_ms, queue_ms, come_back_ms = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
  local own = ARGV[14]
  local member = ticket .. '|' .. places
  if ARGV[13] == '1' then
    -- Asked again: a grant may have been lost on its way.
    if redis.call('ZSCORE', LEASES, ticket .. '#1') then return {GRANTED, 0} end
    if paused_ms <= 0 and redis.call('ZSCORE', WAITING, member) then
      serve()
      return {redis.call('ZSCORE', LEASES, ticket .. '#1') and GRANTED or QUEUED, 0}
    end
  end
  if paused_ms > 0 then return {COME_BACK, paused_ms} end
  local waiting = redis.call('ZCARD', WAITING)
  local turn_in = own_turn(waiting, queue_ms, come_back_ms)
  if turn_in > 0 then return {OWN_TURN, math.ceil(turn_in)} end
  local full_for = calls_full_for(calls_limit, own_limit, own)
  if sends_limit > 0 then full_for = math.max(full_for, sends_full_for(sends_limit)) end
  if full_for > 0 then return {COME_BACK, math.ceil(full_for)} end
  -- Once for all the times that it asks.
  if ARGV[13] ~= '1' then count_calls(own) end
  if sends_limit > 0 then
    redis.call('ZADD', SENDS, now, ticket)
    redis.call('PEXPIRE', SENDS, SENDS_WINDOW)
  end
  if waiting == 0 and free_places() >= places then
    take(ticket, places)
    return {GRANTED, 0}
  end
  redis.call('ZADD', WAITING, now + wait_ms, member)
  redis.call('PEXPIRE', WAITING, MINUTE)
  serve()
  return {redis.call('ZSCORE', LEASES, ticket .. '#1') and GRANTED or QUEUED, 0}
end

if operation == 'turn' then
  if paused_ms > 0 then return {COME_BACK, paused_ms} end
  local turn_in = own_turn(redis.call('ZCARD', WAITING), tonumber(ARGV[7]), tonumber(ARGV[8]))
  return {turn_in > 0 and OWN_TURN or GRANTED, math.ceil(turn_in)}
end

if operation == 'release' then
  local took_ms, went_well = tonumber(ARGV[7]), ARGV[8] == '1'
  leave()
  if took_ms < 0 then took_ms = held_ms or HELD_AT_FIRST end
  -- Down fast, up slowly: one slow call (a new connection) must not keep the line away for long.
  local before = held_ms or HELD_AT_FIRST
  redis.call('HSET', STATE, 'held_ms', before + (took_ms - before) * (took_ms < before and 0.3 or 0.05))
  if went_well then redis.call('HDEL', STATE, 'strikes') end
  serve()
  return {GRANTED, math.max(0, paused_ms)}
end

if operation == 'give_up' then
  leave()
  redis.call('ZREM', SENDS, ticket)
  if ARGV[7] == '1' then
    -- Perhaps not in the minute that counted it: what is below zero there is taken for none.
    local minute = math.floor(now / MINUTE)
    redis.call('HINCRBY', STATE, 'calls:' .. minute, -places)
    redis.call('HINCRBY', STATE, ARGV[8] .. ':' .. minute, -places)
  end
  serve()
  return {GRANTED, 0}
end

if operation == 'renew' then
  for place = 1, places do
    redis.call('ZADD', LEASES, 'XX', now + lease_ms, ticket .. '#' .. place)
  end
  redis.call('PEXPIRE', LEASES, lease_ms)
  return {GRANTED, 0}
end

if operation == 'pause' then
  local pause, whole_app, base, most = tonumber(ARGV[7]), ARGV[8] == '1', tonumber(ARGV[9]), tonumber(ARGV[10])
  if pause <= 0 then
    local strikes = redis.call('HINCRBY', STATE, 'strikes', 1)
    pause = math.min(most, base * 2 ^ math.min(strikes - 1, 20))
  end
  pause = math.floor(math.max(pause, paused_ms))
  if whole_app then
    redis.call('SET', PAUSED_APP, now + pause, 'PX', pause)
  else
    redis.call('HSET', STATE, 'paused_until', now + pause)
    redis.call('PEXPIRE', STATE, STATE_LIFE + pause)
  end
  return {COME_BACK, pause}
end

return redis.error_reply('unknown operation ' .. operation)
