-- The limits of one mailbox, as one app may use it, over all processes and hosts. Times are Redis' own.
--
-- KEYS  1 leases: sorted set, place -> when it lapses      2 waiting: sorted set, "ticket|places" -> when it gives up
--       3 state: hash, calls per minute, pause, strikes    4 sends: sorted set, ticket -> when
--       5 paused_app: when the pause of the whole app ends
-- ARGV  1 operation, 2 ticket ("process:number"), 3 places; the rest by operation. All durations in ms.
-- A ticket's operations can be repeated: a lost answer does no harm.

local LEASES, WAITING, STATE, SENDS, PAUSED_APP = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local operation, ticket, places = ARGV[1], ARGV[2], tonumber(ARGV[3])
local channel_prefix, in_flight, lease_ms = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])

local GRANTED, QUEUED, COME_BACK, OWN_TURN = 0, 1, 2, 3
local MINUTE, CALL_MINUTES = 60000, 11
local SENDS_WINDOW = 61000 -- a second more than Exchange's minute, for the time calls are on their way
local HELD_AT_FIRST = 20 -- too low only lets too many in line once, too high keeps places empty
local STATE_LIFE = 12 * MINUTE

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function paused_until()
  local mailbox = tonumber(redis.call('HGET', STATE, 'paused_until') or 0)
  return math.max(mailbox, tonumber(redis.call('GET', PAUSED_APP) or 0))
end

local function take(whose, count)
  for place = 1, count do
    redis.call('ZADD', LEASES, now + lease_ms, whose .. '#' .. place)
  end
  redis.call('PEXPIRE', LEASES, lease_ms)
end

-- Gives free places to those who wait, the longest waiting first.
local function serve()
  redis.call('ZREMRANGEBYSCORE', LEASES, '-inf', now)
  redis.call('ZREMRANGEBYSCORE', WAITING, '-inf', now)
  if paused_until() > now then return end
  local free = in_flight - redis.call('ZCARD', LEASES)
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

-- How long until the window of calls has room again; 0 if it has.
local function calls_full_for(limit)
  local newest = math.floor(now / MINUTE)
  local names = {}
  for minute = newest - CALL_MINUTES + 1, newest do
    names[#names + 1] = 'calls:' .. minute
  end
  local counts, total, oldest = redis.call('HMGET', STATE, unpack(names)), 0, nil
  for index, count in ipairs(counts) do
    if count then
      total = total + count
      oldest = oldest or (newest - CALL_MINUTES + index)
    end
  end
  if total + places <= limit then return 0 end
  return ((oldest or newest) + CALL_MINUTES) * MINUTE - now
end

local function count_calls()
  local this = 'calls:' .. math.floor(now / MINUTE)
  if redis.call('HINCRBY', STATE, this, places) == places then
    for _, name in ipairs(redis.call('HKEYS', STATE)) do
      local minute = string.match(name, '^calls:(%d+)$')
      if minute and tonumber(minute) <= math.floor(now / MINUTE) - CALL_MINUTES then
        redis.call('HDEL', STATE, name)
      end
    end
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
local function own_turn(queue_ms, come_back_ms)
  local held = tonumber(redis.call('HGET', STATE, 'held_ms') or HELD_AT_FIRST)
  local pace = held * places / in_flight
  local waiting = redis.call('ZCARD', WAITING)
  if waiting < in_flight or (waiting + 1) * pace <= queue_ms then return 0 end
  local turn = math.max(tonumber(redis.call('HGET', STATE, 'turn') or 0), now + queue_ms / 2) + 0.8 * pace
  turn = math.min(turn, now + come_back_ms)
  redis.call('HSET', STATE, 'turn', turn)
  return turn - now
end

if operation == 'enter' then
  local calls_limit, sends_limit = tonumber(ARGV[7]), tonumber(ARGV[8])
  local wait_ms, queue_ms, come_back_ms = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
  if redis.call('ZSCORE', LEASES, ticket .. '#1') then return {GRANTED, 0} end
  local pause = paused_until() - now
  if pause > 0 then return {COME_BACK, pause} end
  local member = ticket .. '|' .. places
  if not redis.call('ZSCORE', WAITING, member) then
    local full_for = calls_full_for(calls_limit)
    if sends_limit > 0 then full_for = math.max(full_for, sends_full_for(sends_limit)) end
    if full_for > 0 then return {COME_BACK, math.ceil(full_for)} end
    local turn_in = own_turn(queue_ms, come_back_ms)
    if turn_in > 0 then return {OWN_TURN, math.ceil(turn_in)} end
    count_calls()
    if sends_limit > 0 then
      redis.call('ZADD', SENDS, now, ticket)
      redis.call('PEXPIRE', SENDS, SENDS_WINDOW)
    end
    redis.call('ZADD', WAITING, now + wait_ms, member)
    redis.call('PEXPIRE', WAITING, wait_ms)
  end
  serve()
  if redis.call('ZSCORE', LEASES, ticket .. '#1') then return {GRANTED, 0} end
  return {QUEUED, 0}
end

if operation == 'release' then
  local held_ms, went_well = tonumber(ARGV[7]), ARGV[8] == '1'
  leave()
  local before = tonumber(redis.call('HGET', STATE, 'held_ms') or held_ms)
  redis.call('HSET', STATE, 'held_ms', 0.9 * before + 0.1 * held_ms)
  if went_well then redis.call('HDEL', STATE, 'strikes') end
  serve()
  return {GRANTED, 0}
end

if operation == 'give_up' then
  leave()
  redis.call('ZREM', SENDS, ticket)
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
  pause = math.floor(math.max(pause, paused_until() - now))
  if whole_app then
    redis.call('SET', PAUSED_APP, now + pause, 'PX', pause)
  else
    redis.call('HSET', STATE, 'paused_until', now + pause)
    redis.call('PEXPIRE', STATE, STATE_LIFE + pause)
  end
  return {COME_BACK, pause}
end

return redis.error_reply('unknown operation ' .. operation)
