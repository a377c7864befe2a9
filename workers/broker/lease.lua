-- Take (ARGV[3] = '1') or renew the lease of a worker, and say whose leases ran out.
-- KEYS[13] the worker. ARGV: lease, its length in ms, '1' to take it.
-- Reply: {'ok', leases that ran out...} or {'fenced'}.
local WORKER, lease, length = KEYS[13], ARGV[1], tonumber(ARGV[2])

pass_when_full(WORKER)

-- A server clock that was set back would hold every delayed message for that long.
local now, wall, seen = clock()
if now < seen - 1000 then
  redis.call('HSET', STATE, 'ahead', seen - wall)
  now = seen
end
redis.call('HSET', STATE, 'seen', now)

local ends = tonumber(redis.call('ZSCORE', LEASES, lease) or 0)
if ends == 0 and ARGV[3] ~= '1' then
  return {'fenced'}
end
redis.call('ZADD', LEASES, now + length, lease)
if ends < now then
  redis.call('HSET', WORKER, 'since', now)
end
-- After an outage every lease has run out. Only who held its own without a gap for as long may judge the others.
if now - tonumber(redis.call('HGET', WORKER, 'since') or now) < length then
  return {'ok'}
end
return {'ok', unpack(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, 100))}
