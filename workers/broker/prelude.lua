-- Prepended to every script. The keys of a partition come first and in this order (see keys.py).
local STATE, READY = KEYS[1], {KEYS[2], KEYS[3], KEYS[4], KEYS[5]}
local SUSPECTS, DUE, DEAD, LETTERS = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local COUNTS, LEASES, BELL = KEYS[10], KEYS[11], KEYS[12]
-- unpack() is limited by Lua's C stack.
local CHUNK = 1000

-- Milliseconds on a clock that never goes back: `ahead` is what the server's clock was once set back by. Returns
-- the time, the server's own, and the last that was noted (see lease.lua).
local function clock()
  local time = redis.call('TIME')
  local wall = time[1] * 1000 + math.floor(time[2] / 1000)
  local state = redis.call('HMGET', STATE, 'ahead', 'seen')
  return wall + tonumber(state[1] or 0), wall, tonumber(state[2] or 0)
end

local function text(number)
  return string.format('%.0f', number)
end

-- An entry is a header line and the message as dramatiq encodes it. The header: priority (0 is urgent), times its
-- worker died in company, times its worker died with it alone, ready time (13 digits of ms), number, space, actor.
local FIXED = string.rep('%d', 15)
local HEADING, NUMBER = '^([0-3])' .. FIXED .. '%d+ ([^\n]*)\n', '^%d' .. FIXED .. '(%d+) '

local function heading(entry)
  return string.match(entry, HEADING)
end

local function entry_of(priority, ready, number, actor, body)
  return priority .. '00' .. string.format('%013.0f', ready) .. number .. ' ' .. actor .. '\n' .. body
end

local function blame_of(entry)
  return tonumber(string.sub(entry, 2, 2)) or 0, tonumber(string.sub(entry, 3, 3)) or 0
end

local function number_of(entry)
  return string.match(entry, NUMBER)
end

-- A full Redis refuses a script at its first write, unless that one frees memory: what empties the queue must pass.
local function pass_when_full(key)
  redis.call('HDEL', key, 'full')
end

-- Sizes by state (waiting, later, running, dead), priority and actor, kept with every move: reading them is O(1).
local moves = {}
local function count(state, priority, actor, by)
  local field = state .. priority .. actor
  moves[field] = (moves[field] or 0) + by
end

local function save_counts()
  for field, by in pairs(moves) do
    if by ~= 0 and redis.call('HINCRBY', COUNTS, field, by) == 0 then
      redis.call('HDEL', COUNTS, field)
    end
  end
end

local function in_chunks(command, key, values)
  for first = 1, #values, CHUNK do
    redis.call(command, key, unpack(values, first, math.min(first + CHUNK - 1, #values)))
  end
end

-- One token is enough: who takes and leaves something behind rings for the next.
local function ring()
  if redis.call('LLEN', BELL) == 0 then
    redis.call('RPUSH', BELL, '1')
  end
end

-- Wake somebody if nobody idle is set to wake by `due`.
local function ring_for(due, now)
  local wake = tonumber(redis.call('HGET', STATE, 'wake') or 0)
  if wake <= now or wake > due then
    ring()
  end
end

-- A message whose worker died waits behind the other suspects; one that is known to kill is for anybody to bury.
local function is_suspect(entry)
  local company, alone = blame_of(entry)
  return company + alone > 0 and alone < 3
end

local function wait_again(entry, command, line)
  local priority, actor = heading(entry)
  redis.call(command, line or READY[priority + 1], entry)
  count('r', priority, actor, -1)
  count('w', priority, actor, 1)
end

local function suspect(entry)
  wait_again(entry, 'RPUSH', is_suspect(entry) and SUSPECTS)
end

-- Back to the front of the line it was taken from.
local function give_back(entry)
  wait_again(entry, 'LPUSH', is_suspect(entry) and SUSPECTS)
end

