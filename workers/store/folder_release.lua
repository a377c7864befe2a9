-- KEYS[1] folder; ARGV[1] owner, ARGV[2] what, ARGV[3], ARGV[4]. Replies 0 where the lease is another's, else 1, or:
-- "link": store ARGV[3], and ARGV[4] how many messages the listing that it goes on with has shown ("": it is none)
-- "counted": note that the folder was counted
-- "done": ARGV[3] is the error or ""; replies 1 if another look was asked for meanwhile, else 0
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == 'link' then
  redis.call('HSET', KEYS[1], 'link', ARGV[3], 'listed', ARGV[4])
  return 1
end
if ARGV[2] == 'counted' then
  redis.call('HSET', KEYS[1], 'counted_at', now)
  return 1
end
local again = redis.call('HGET', KEYS[1], 'again')
redis.call('HDEL', KEYS[1], 'again')
redis.call('HSET', KEYS[1], 'error', ARGV[3])
if ARGV[3] == '' then
  redis.call('HSET', KEYS[1], 'synced_at', now)
  -- Keep the lease for one more round of the same owner.
  if again == '1' then return 1 end
end
redis.call('HSET', KEYS[1], 'owner', '')
return 0
