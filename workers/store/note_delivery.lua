-- Writes how a delivery stands into the log of its webhook, and forgets the oldest beyond what is kept.
-- KEYS[1] log, KEYS[2] order; ARGV[1] event, ARGV[2] delivery (JSON), ARGV[3] how many to keep,
-- ARGV[4] seconds after which a log that nobody writes to goes
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)), ARGV[1])
for _, old in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1 - ARGV[3])) do redis.call('HDEL', KEYS[1], old) end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[4])
