-- One fire of a scheduled job: claimed and queued in one step, so that however many schedulers try it, it is
-- published once, and one that is killed leaves either nothing done or all of it.
-- KEYS[13] job, KEYS[14] runs, KEYS[15] order of runs, KEYS[16] counts of this hour
-- ARGV[1] version of the job by which the fire was found, ARGV[2] why: due, requested or waiting, ARGV[3] due (ms)
-- ARGV[4] fires missed before it, ARGV[5] '1' to publish it ('0': it is too old, only account for it),
-- ARGV[6] what to do beside a run at work: skip, queue or allow, ARGV[7] how long the run counts as at work (ms),
-- ARGV[8] runs to keep, ARGV[9] run id, ARGV[10] priority, ARGV[11] actor, ARGV[12] message,
-- ARGV[13] job id, ARGV[14] how long an hour's counts are kept (s)
-- Replies published, missed, skipped, waits, busy, already, disabled or changed
local JOB, RUNS, ORDER, why, due = KEYS[13], KEYS[14], KEYS[15], ARGV[2], tonumber(ARGV[3])
local now = clock()
local state = redis.call('HMGET', JOB, 'version', 'enabled', 'last_due', 'running', 'running_until', why)
if (state[1] or '0') ~= ARGV[1] then return 'changed' end

local function note(id, status, trigger, fires)
  local run = { id = id, due = due, status = status, trigger = trigger, queued = now, fires = fires }
  redis.call('LPUSH', ORDER, id)
  redis.call('HSET', RUNS, id, cjson.encode(run))
  for _, old in ipairs(redis.call('LRANGE', ORDER, ARGV[8], -1)) do redis.call('HDEL', RUNS, old) end
  redis.call('LTRIM', ORDER, 0, ARGV[8] - 1)
end

local function tally(what, fires)
  redis.call('HINCRBY', JOB, what .. '_count', fires)
  redis.call('HINCRBY', KEYS[16], ARGV[13] .. '|' .. what, fires)
  redis.call('EXPIRE', KEYS[16], ARGV[14])
end

local trigger = 'schedule'
if why == 'due' then
  if state[2] == '0' then return 'disabled' end
  if tonumber(state[3] or 0) >= due then return 'already' end
  redis.call('HSET', JOB, 'last_due', text(due))
  local missed = tonumber(ARGV[4])
  if missed > 0 then
    tally('missed', missed)
    note(ARGV[9] .. '-missed', 'missed', 'schedule', missed)
  end
  if ARGV[5] == '0' then return 'missed' end
else
  if not state[6] then return 'already' end
  if why == 'requested' then trigger = state[6] end
end

if ARGV[6] ~= 'allow' and state[4] and tonumber(state[5] or 0) > now then
  if why ~= 'due' then return 'busy' end
  if ARGV[6] == 'queue' then
    redis.call('HSET', JOB, 'waiting', text(due))
    return 'waits'
  end
  tally('skipped', 1)
  note(ARGV[9], 'skipped', trigger)
  return 'skipped'
end

if why ~= 'due' then redis.call('HDEL', JOB, why) end
redis.call('HSET', JOB, 'running', ARGV[9], 'running_until', text(now + ARGV[7]), 'running_since', text(now))
note(ARGV[9], 'queued', trigger)
local number = redis.call('HINCRBY', STATE, 'number', 1)
redis.call('RPUSH', READY[ARGV[10] + 1], entry_of(ARGV[10], now, number, ARGV[11], ARGV[12]))
count('w', ARGV[10], ARGV[11], 1)
ring()
save_counts()
return 'published'
