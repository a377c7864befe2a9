-- The second half of exchange.lua, with what is known by its end: what the worker takes, and the reply.
local taken = {}
local function hold(entries)
  for _, entry in ipairs(entries or {}) do
    local priority, actor = heading(entry)
    if priority then
      count('w', priority, actor, -1)
    else
      -- Not put here by us: taken all the same, so that it can be read or dead-lettered.
      priority, actor = '3', ''
      entry = entry_of(priority, now, redis.call('HINCRBY', STATE, 'number', 1), actor, entry)
    end
    count('r', priority, actor, 1)
    taken[#taken + 1] = ARGV[2] .. '-' .. (#taken / 2)
    taken[#taken + 1] = entry
  end
end

local function move_due()
  local entries = redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, 500)
  local lines = {{}, {}, {}, {}}
  for _, entry in ipairs(entries) do
    local priority, actor = heading(entry)
    if priority then
      count('l', priority, actor, -1)
      count('w', priority, actor, 1)
    end
    local line = lines[(priority or 3) + 1]
    line[#line + 1] = entry
  end
  redis.call('ZREM', DUE, unpack(entries))
  for level, line in ipairs(lines) do
    in_chunks('RPUSH', READY[level], line)
  end
end

local function next_due()
  return tonumber(redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2])
end

-- Best first; but every 32nd message comes from below, in turn from low, normal and high (or from the lowest level
-- that has any), so that none starves.
local function take(room)
  local turn = redis.call('HINCRBY', STATE, 'turn', room)
  local below = {}
  for slot = math.floor((turn - room) / 32) + 1, math.floor(turn / 32) do
    local first = 4 - slot % 3
    for _, level in ipairs({first, 4, 3, 2, 1}) do
      local entry = redis.call('LPOP', READY[level])
      if entry then
        below[#below + 1] = entry
        break
      end
    end
  end
  room = room - #below
  for level = 1, 4 do
    if room > 0 then
      local entries = redis.call('LPOP', READY[level], room) or {}
      hold(entries)
      room = room - #entries
    end
  end
  hold(below)
end

-- Suspects run apart. Who holds nothing takes one alone; a first-time suspect that has outlived its time alone is
-- joined by the next of them. Nobody free: one worker (the warden) takes nothing new until it is; after a second
-- it takes first-time suspects in company, but one that died twice waits.
local function take_suspect(held)
  local first = redis.call('LINDEX', SUSPECTS, 0)
  local company, died_alone = blame_of(first)
  local strict = company > 1 or died_alone > 0
  if held == 0 then
    alone = strict and 'strict' or 'brief'
  elseif not strict and (alone == 'brief' or alone == 'company') then
    alone = 'company'
  else
    local warden, since = unpack(redis.call('HMGET', STATE, 'warden', 'warden_since'))
    if warden and warden ~= lease and redis.call('ZSCORE', LEASES, warden) then
      return 'open'
    end
    if warden ~= lease then
      since = now
      redis.call('HSET', STATE, 'warden', lease, 'warden_since', now)
    end
    if strict or now - tonumber(since) < 1000 then
      return 'draining'
    end
    alone = 'company'
  end
  hold({redis.call('LPOP', SUSPECTS)})
  redis.call('HDEL', STATE, 'warden', 'warden_since')
  return alone
end

local sleep, mode, suspects = -1, '', redis.call('LLEN', SUSPECTS)
if at_bell then
  -- Things may have changed since it was sent, and the worker may stand still: no more than one, and no suspects.
  local is_simple = alone == '' and suspects == 0
  wanted = is_simple and redis.call('HLEN', HAND) < wanted and 1 or 0
end
if wanted > 0 then
  local due = next_due()
  if due and due <= now then
    move_due()
    due = next_due()
  end
  local held = 0
  if alone ~= '' or suspects > 0 then
    held = redis.call('HLEN', HAND) + tonumber(ARGV[4])
  end
  if held == 0 then
    alone = ''
  end
  mode = 'open'
  if alone == 'strict' then
    mode = 'draining'
  elseif suspects > 0 then
    mode = take_suspect(held)
  end
  if mode == 'open' then
    alone = ''
    local left = redis.call('EXISTS', unpack(READY))
    if left > 0 then
      take(wanted)
      left = redis.call('EXISTS', unpack(READY))
    end
    if left == 0 then
      mode = 'empty'
    end
  end
  for first = 1, #taken, CHUNK do
    redis.call('HSET', HAND, unpack(taken, first, math.min(first + CHUNK - 1, #taken)))
  end
  -- The keeper is the idle worker that wakes when the next delayed message is due; the others sleep on.
  local keeper, wake
  if due then
    keeper, wake = unpack(redis.call('HMGET', STATE, 'keeper', 'wake'))
  end
  if mode == 'empty' then
    wake = tonumber(wake or 0)
    if due and (keeper == lease or wake <= now or wake > due) then
      redis.call('HSET', STATE, 'keeper', lease, 'wake', due)
      sleep = math.max(due - now, 0)
    end
  else
    if keeper == lease then
      redis.call('HDEL', STATE, 'keeper', 'wake')
      freed = true
    end
    freed = freed or mode == 'open' or redis.call('EXISTS', unpack(READY)) > 0
    if soonest then
      ring_for(soonest, now)
    end
  end
elseif soonest then
  ring_for(soonest, now)
end
if freed then
  ring()
end
if at_bell then
  redis.call('HSET', WORKER, 'bell', sequence)
elseif #ARGV > 4 or #taken > 0 or alone ~= was_alone then
  redis.call('HSET', WORKER, 'sequence', sequence, 'refused', table.concat(refused, ' '), 'alone', alone)
end
save_counts()
return {'ok', text(now), refused, taken, sleep, mode, suspects}
