-- Writes queued jobs. KEYS: each job; ARGV[1] seconds to keep them; then for each: type, organization, at, total
for index, key in ipairs(KEYS) do
  local type, organization, at, total = unpack(ARGV, index * 4 - 2, index * 4 + 1)
  redis.call('HSET', key, 'type', type, 'organization', organization, 'status', 'queued', 'attempts', 0,
    'created_at', at, 'updated_at', at, 'total', total)
  redis.call('EXPIRE', key, ARGV[1])
end
