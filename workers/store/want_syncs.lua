-- Notes for each mailbox that a sync of it is queued. KEYS: sync-queued of each; ARGV[1] who asks, ARGV[2] seconds
-- Replies for each: 1 if the caller must queue it, 0 while another's is queued that has not started.
-- The same caller gets the same reply again: a client repeats a call whose reply was lost.
local due = {}
for index, key in ipairs(KEYS) do
  local is_new = redis.call('SET', key, ARGV[1], 'NX', 'EX', ARGV[2])
  due[index] = (is_new or redis.call('GET', key) == ARGV[1]) and 1 or 0
end
return due
