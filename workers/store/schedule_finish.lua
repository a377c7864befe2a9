-- A run ends, once.
-- KEYS[1] job, KEYS[2] runs, KEYS[3] version, KEYS[4] hour; ARGV[1] run, ARGV[2] completed or failed,
-- ARGV[3] error, ARGV[4] figures (JSON), ARGV[5] job id, ARGV[6] how long an hour is kept (s)
-- Replies its duration in ms, or -1 where it was over (or is no longer known)
local known = redis.call('HGET', KEYS[2], ARGV[1])
local run = known and cjson.decode(known)
if not run or run.finished then return -1 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
run.status, run.error, run.figures, run.finished = ARGV[2], ARGV[3], ARGV[4], now
run.started = run.started or now
local took = now - run.started
redis.call('HSET', KEYS[2], ARGV[1], cjson.encode(run))
redis.call('HINCRBY', KEYS[1], 'run_count', 1)
if ARGV[2] == 'failed' then redis.call('HINCRBY', KEYS[1], 'error_count', 1) end
redis.call('HSET', KEYS[1], 'last_run', string.format('%.0f', run.started), 'last_duration_ms', took,
  'last_error', ARGV[3], 'last_status', ARGV[2])
if redis.call('HGET', KEYS[1], 'running') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'running', 'running_until', 'running_since')
end
redis.call('HINCRBY', KEYS[4], ARGV[5] .. '|' .. ARGV[2], 1)
redis.call('HINCRBY', KEYS[4], ARGV[5] .. '|ms', took)
redis.call('EXPIRE', KEYS[4], ARGV[6])
-- Something waited for this end: the schedulers are to look.
if redis.call('HEXISTS', KEYS[1], 'waiting') + redis.call('HEXISTS', KEYS[1], 'requested') > 0 then
  redis.call('INCR', KEYS[3])
end
return took
