-- Drop messages of a stretch of one line. KEYS[13] the line (a list, or DUE).
-- ARGV: offset, length, actor or '' for any, priority (0 is urgent) or '' for any. Reply: {seen, dropped}.
local LINE, offset, length, actor, priority = KEYS[13], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local is_due = LINE == DUE
local seen = redis.call(is_due and 'ZRANGE' or 'LRANGE', LINE, offset, offset + length - 1)
local dropped = {}
for at, entry in ipairs(seen) do
  local its_priority, its_actor = heading(entry)
  if its_priority and (actor == '' or actor == its_actor) and (priority == '' or priority == its_priority) then
    count(is_due and 'l' or 'w', its_priority, its_actor, -1)
    dropped[#dropped + 1] = entry
    if not is_due then
      redis.call('LSET', LINE, offset + at - 1, 'dropped')
    end
  end
end
if is_due then
  in_chunks('ZREM', DUE, dropped)
elseif #dropped > 0 then
  redis.call('LREM', LINE, 0, 'dropped')
end
save_counts()
return {#seen, #dropped}
