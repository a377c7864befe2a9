-- Takes tokens of a day's budget before they are used, or nothing where they would go over it.
-- KEYS[1] tokens used that day; ARGV[1] how many, ARGV[2] how many a day, ARGV[3] kept for (s)
-- Replies 1: taken, 0: not
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
if used + ARGV[1] > tonumber(ARGV[2]) then return 0 end
redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
