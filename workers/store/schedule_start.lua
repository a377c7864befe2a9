-- A worker has a run in hand (again), or failed and will try again.
-- KEYS[1] job, KEYS[2] runs, KEYS[3] order; ARGV[1] run, ARGV[2] due (ms), ARGV[3] running or retrying,
-- ARGV[4] attempt, ARGV[5] error, ARGV[6] how long the run counts as at work (ms), ARGV[7] runs to keep
-- Replies 0 where the run is over
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HGET', KEYS[2], ARGV[1])
local run = known and cjson.decode(known) or { id = ARGV[1], due = tonumber(ARGV[2]), trigger = 'message' }
if run.finished then return 0 end
if not known then
  redis.call('LPUSH', KEYS[3], ARGV[1])
  for _, old in ipairs(redis.call('LRANGE', KEYS[3], ARGV[7], -1)) do redis.call('HDEL', KEYS[2], old) end
  redis.call('LTRIM', KEYS[3], 0, ARGV[7] - 1)
end
run.status, run.attempts, run.error = ARGV[3], tonumber(ARGV[4]), ARGV[5]
run.started = run.started or now
redis.call('HSET', KEYS[2], ARGV[1], cjson.encode(run))
redis.call('HSET', KEYS[1], 'running', ARGV[1], 'running_until', string.format('%.0f', now + ARGV[6]),
  'running_since', string.format('%.0f', run.started))
return 1
