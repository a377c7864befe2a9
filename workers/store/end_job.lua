-- Ends a job, or an item of a bulk job: that ends with its last item. A job that is not known stays so.
-- KEYS[1] job, KEYS[2] items of a bulk job, KEYS[3] events to be told
-- ARGV[1] job, ARGV[2] message, ARGV[3] completed or failed, ARGV[4] result or error (JSON), ARGV[5] now,
-- ARGV[6] seconds to keep items, ARGV[7] channel of ended jobs, then perhaps id and JSON of an event that tells
-- that it failed
local before, total = unpack(redis.call('HMGET', KEYS[1], 'status', 'total'))
if not before then return end
local status, value = ARGV[3], ARGV[4]
total = tonumber(total or 0)
if total > 0 then
  redis.call('HSET', KEYS[2], ARGV[2], status == 'completed' and 'done' or 'failed')
  redis.call('EXPIRE', KEYS[2], ARGV[6])
  if redis.call('HLEN', KEYS[2]) < total then
    redis.call('HSET', KEYS[1], 'status', 'running', 'updated_at', ARGV[5])
    return
  end
  local failed = 0
  for _, outcome in ipairs(redis.call('HVALS', KEYS[2])) do
    if outcome == 'failed' then failed = failed + 1 end
  end
  status, value = 'completed', cjson.encode({ total = total, done = total - failed, failed = failed })
end
local field, other = 'result', 'error'
if status == 'failed' then field, other = other, field end
redis.call('HSET', KEYS[1], 'status', status, field, value, 'updated_at', ARGV[5])
redis.call('HDEL', KEYS[1], other)
if ARGV[8] and status == 'failed' and before ~= 'failed' then redis.call('HSET', KEYS[3], ARGV[8], ARGV[9]) end
redis.call('PUBLISH', ARGV[7], ARGV[1])
