-- Sizes and ages of a partition, all from O(1) reads (and one small hash).
-- Reply: {now, counts, {ready time of the first message of each priority}, suspects, live workers}.
local now = clock()
local first = {}
for level = 1, 4 do
  local entry = redis.call('LINDEX', READY[level], 0)
  first[level] = entry and heading(entry) and string.sub(entry, 4, 16) or ''
end
local live = redis.call('ZCOUNT', LEASES, now, '+inf')
return {text(now), redis.call('HGETALL', COUNTS), first, redis.call('LLEN', SUSPECTS), live}
