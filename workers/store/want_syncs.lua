-- Notes for each mailbox that a sync of it is queued. KEYS: sync-queued of each; ARGV[1] seconds to remember it
-- Replies for each: 1 if the caller must queue it, 0 while one is queued that has not started
local due = {}
for index, key in ipairs(KEYS) do
  due[index] = redis.call('SET', key, '1', 'NX', 'EX', ARGV[1]) and 1 or 0
end
return due
