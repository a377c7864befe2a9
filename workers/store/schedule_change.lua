-- Changes a job's switches. What fell due before is no longer made up for; a change that changes nothing leaves all.
-- KEYS[1] job, KEYS[2] version; ARGV: field, value... Replies 1 if anything changed
local differs = false
for at = 1, #ARGV, 2 do
  differs = differs or redis.call('HGET', KEYS[1], ARGV[at]) ~= ARGV[at + 1]
end
if not differs then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], unpack(ARGV))
redis.call('HSET', KEYS[1], 'last_due', string.format('%.0f', math.max(now, tonumber(redis.call('HGET', KEYS[1], 'last_due') or '0'))))
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('INCR', KEYS[2])
return 1
