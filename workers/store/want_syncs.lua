-- Asks which mailboxes need a sync queued, or notes that it was. KEYS: sync-queued of each
-- ARGV[1] "ask" or "queued", ARGV[2] who asks, ARGV[3] seconds to remember it
-- "ask" replies for each: 1 if the caller must queue one, 0 while one is queued that has not started. Who asked
-- but was not heard of again holds nobody up: only what was queued for sure lets others rely on it.
local due = {}
for index, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if ARGV[1] == 'queued' then
    -- Gone: the sync has started by now, and what comes next needs one of its own.
    if held == ARGV[2] then redis.call('SET', key, 'queued', 'EX', ARGV[3]) end
  elseif held == 'queued' then
    due[index] = 0
  else
    redis.call('SET', key, ARGV[2], 'EX', ARGV[3])
    due[index] = 1
  end
end
return due
