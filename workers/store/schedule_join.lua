-- A scheduler comes. The first of a fleet asks for the jobs with which everything begins (unless switched off).
-- KEYS[1] schedulers, KEYS[2] version, then jobs; ARGV[1] id, ARGV[2] how long a sign of life is good for (ms)
-- Replies 1 to the first
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local others = redis.call('ZCOUNT', KEYS[1], string.format('%.0f', now - ARGV[2]), '+inf')
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
if others > 0 then return 0 end
for at = 3, #KEYS do
  if redis.call('HGET', KEYS[at], 'enabled') ~= '0' then redis.call('HSET', KEYS[at], 'requested', 'start') end
end
redis.call('INCR', KEYS[2])
return 1
