-- Notes how the subscription of a folder is, and an event where that was fine and is no longer.
-- KEYS[1] folder, KEYS[2] events to be told
-- ARGV[1] why there is none, "" where there is one, ARGV[2] what ails it, "" where it is fine; then perhaps id
-- and JSON of an event
local before = redis.call('HGET', KEYS[1], 'subscription_ails') or ''
redis.call('HSET', KEYS[1], 'subscription_error', ARGV[1], 'subscription_ails', ARGV[2])
if ARGV[3] and before == '' and ARGV[2] ~= '' then redis.call('HSET', KEYS[2], ARGV[3], ARGV[4]) end
