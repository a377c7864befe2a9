-- Drop waiting and delayed messages of a stretch of one line. KEYS[13] the line (a list, or DUE).
-- ARGV: offset, length, actor or '' for all. Reply: {seen, dropped}.
local offset, length, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local sorted = KEYS[13] == DUE
local seen = redis.call(sorted and 'ZRANGE' or 'LRANGE', KEYS[13], offset, offset + length - 1)
local dropped = {}
for at, entry in ipairs(seen) do
  local priority, actor = heading(entry)
  if priority and (wanted == '' or wanted == actor) then
    count(sorted and 'l' or 'w', priority, actor, -1)
    dropped[#dropped + 1] = entry
    if not sorted then
      redis.call('LSET', KEYS[13], offset + at - 1, 'dropped')
    end
  end
end
if sorted then
  in_chunks('ZREM', DUE, dropped)
elseif #dropped > 0 then
  redis.call('LREM', KEYS[13], 0, 'dropped')
end
save_counts()
return {#seen, #dropped}
