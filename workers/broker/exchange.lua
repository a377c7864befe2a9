-- A worker hands in outcomes (here) and takes messages (exchange_taking.lua, which goes on where this ends), in one
-- step. A call whose reply was lost may be repeated.
-- KEYS[13] what the worker holds, KEYS[14] the worker.
-- ARGV: lease, sequence, messages wanted, messages it holds of other partitions, then outcomes:
--   (a call that waited at the bell has a sequence of its own, 'b' and a number; it takes one message, and none
--   if the worker holds so many already)
--   D actor priority n id*n         done
--   R id delay_ms body              again, after a delay
--   X id meta body 0                dead letter, or with a message to send in the same step:
--   X id meta body 1 priority delay_ms actor body
--   N id priority delay_ms actor body   done, and the message that comes next
--   B id                            given back, not run
-- Reply: {'ok', now, refused ids, {id, entry, ...}, sleep ms or -1, mode, suspects waiting} or {'fenced'}.
-- Mode: '' nothing was asked for, or this is a repetition; 'open' there is more; 'empty' there is not; how suspects
-- are given: 'brief' and 'strict' alone, 'company' beside others, 'draining' not yet, and nothing else either.
local HAND, WORKER = KEYS[13], KEYS[14]
local lease, wanted, at_bell = ARGV[1], tonumber(ARGV[3]), string.sub(ARGV[2], 1, 1) == 'b'
local field, sequence = 'sequence', tonumber(ARGV[2])
if at_bell then
  field, sequence = 'bell', tonumber(string.sub(ARGV[2], 2))
end

pass_when_full(WORKER)
if not redis.call('ZSCORE', LEASES, lease) then
  if at_bell then
    -- The ring that it heard is for somebody else.
    ring()
  end
  return {'fenced'}
end
local now = clock()
local last = redis.call('HMGET', WORKER, field, 'refused', 'alone')
if tonumber(last[1] or 0) >= sequence then
  local refused, taken, held = {}, {}, redis.call('HGETALL', HAND)
  for id in string.gmatch(not at_bell and last[2] or '', '%S+') do
    refused[#refused + 1] = id
  end
  local mine = ARGV[2] .. '-'
  for at = 1, #held, 2 do
    if string.sub(held[at], 1, #mine) == mine then
      taken[#taken + 1] = held[at]
      taken[#taken + 1] = held[at + 1]
    end
  end
  return {'ok', text(now), refused, taken, 0, last[3] or '', redis.call('LLEN', SUSPECTS)}
end

local alone, was_alone = last[3] or '', last[3] or ''
local refused, freed, soonest = {}, false, nil

local function let_go(id)
  local entry = redis.call('HGET', HAND, id)
  if not entry then
    refused[#refused + 1] = id
    return nil
  end
  redis.call('HDEL', HAND, id)
  return entry
end

local function put(priority, delay, number, actor, body)
  local entry = entry_of(priority, now + delay, number, actor, body)
  if delay > 0 then
    redis.call('ZADD', DUE, now + delay, entry)
    count('l', priority, actor, 1)
    soonest = math.min(soonest or now + delay, now + delay)
  else
    redis.call('RPUSH', READY[priority + 1], entry)
    count('w', priority, actor, 1)
    freed = true
  end
end

local function again(entry, delay, body)
  local priority, actor = heading(entry)
  count('r', priority, actor, -1)
  put(priority, delay, number_of(entry), actor, body)
end

local function bury(entry, meta, body)
  local priority, actor = heading(entry)
  -- Its time of death, made unique, names a dead letter: pages and ages need no other index.
  local newest = redis.call('ZREVRANGE', DEAD, 0, 0)
  local died = math.max(now, tonumber(newest[1] or 0) + 1)
  redis.call('ZADD', DEAD, died, text(died))
  redis.call('HSET', LETTERS, text(died), entry_of(priority, died, number_of(entry), actor, meta .. '\n' .. body))
  count('r', priority, actor, -1)
  count('d', priority, actor, 1)
end

local function send(at)
  local number = redis.call('HINCRBY', STATE, 'number', 1)
  put(ARGV[at], tonumber(ARGV[at + 1]), number, ARGV[at + 2], ARGV[at + 3])
end

local at = 5
while at <= #ARGV do
  local outcome = ARGV[at]
  if outcome == 'D' then
    local done, ids = 0, tonumber(ARGV[at + 3])
    for index = at + 4, at + 3 + ids do
      if redis.call('HDEL', HAND, ARGV[index]) == 1 then
        done = done + 1
      else
        refused[#refused + 1] = ARGV[index]
      end
    end
    count('r', ARGV[at + 2], ARGV[at + 1], -done)
    at = at + 4 + ids
  elseif outcome == 'R' then
    local entry = let_go(ARGV[at + 1])
    if entry then
      again(entry, tonumber(ARGV[at + 2]), ARGV[at + 3])
    end
    at = at + 4
  elseif outcome == 'X' then
    local entry, follows = let_go(ARGV[at + 1]), ARGV[at + 4] == '1'
    if entry then
      bury(entry, ARGV[at + 2], ARGV[at + 3])
      if follows then
        send(at + 5)
      end
    end
    at = at + (follows and 9 or 5)
  elseif outcome == 'N' then
    local entry = let_go(ARGV[at + 1])
    if entry then
      local priority, actor = heading(entry)
      count('r', priority, actor, -1)
      send(at + 2)
    end
    at = at + 6
  else
    local entry = let_go(ARGV[at + 1])
    if entry then
      give_back(entry)
      freed = true
    end
    at = at + 2
  end
end
