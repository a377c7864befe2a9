-- Empties the record of a message that ended: what is left says that there was one, and how it ended.
-- KEYS[1] record, KEYS[2] content; ARGV: names of the fields that stay
-- Replies 1, or 0 where there is no record or the message has not ended
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'done' and state ~= 'skipped' and state ~= 'dead' then return 0 end
local stays = {}
for _, name in ipairs(ARGV) do stays[name] = true end
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not stays[name] then redis.call('HDEL', KEYS[1], name) end
end
redis.call('UNLINK', KEYS[2])
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'erased_at', time[1] * 1000 + math.floor(time[2] / 1000))
return 1
