-- Makes a table of definitions the one in force. A new or rescheduled job begins now.
-- KEYS[1] defined, KEYS[2] version; then the job of each definition; ARGV: id, definition...
local function times(definition)
  local read = cjson.decode(definition)
  return read.schedule .. ' ' .. read.timezone
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local known, changed = {}, false
for at = 1, #ARGV, 2 do
  local id, definition, job = ARGV[at], ARGV[at + 1], KEYS[2 + (at + 1) / 2]
  local former = redis.call('HGET', KEYS[1], id)
  known[id] = true
  if former ~= definition then
    if not former or times(former) ~= times(definition) then redis.call('HSET', job, 'last_due', now) end
    redis.call('HSET', KEYS[1], id, definition)
    redis.call('HINCRBY', job, 'version', 1)
    changed = true
  elseif redis.call('HEXISTS', job, 'last_due') == 0 then
    redis.call('HSET', job, 'last_due', now)
  end
end
for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not known[id] then
    redis.call('HDEL', KEYS[1], id)
    changed = true
  end
end
if changed then redis.call('INCR', KEYS[2]) end
return changed and 1 or 0
