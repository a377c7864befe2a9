-- KEYS[1] folder; ARGV[1] owner, ARGV[2] "link" (store ARGV[3]; reply 1) or "done" (ARGV[3]: error or "";
-- reply 1 if another look was asked for meanwhile). Replies 0 where the lease is another's.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
if ARGV[2] == 'link' then
  redis.call('HSET', KEYS[1], 'link', ARGV[3])
  return 1
end
local again = redis.call('HGET', KEYS[1], 'again')
redis.call('HDEL', KEYS[1], 'again')
redis.call('HSET', KEYS[1], 'error', ARGV[3])
if ARGV[3] == '' then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'synced_at', time[1] * 1000 + math.floor(time[2] / 1000))
  -- Keep the lease for one more round of the same owner.
  if again == '1' then return 1 end
end
redis.call('HSET', KEYS[1], 'owner', '')
return 0
