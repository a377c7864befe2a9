-- Put new messages in line, or aside until they are due. A call whose reply was lost may be repeated.
-- KEYS[13] memory of the producer, then keys of records to write in the same step, those of the same content
-- behind each other. ARGV: sequence, memory ms, per content: number of records that have it, seconds to keep them,
-- number of values, names and values of the hash; then per message: priority, delay ms, actor, body.
local sequence = tonumber(ARGV[1])
local last = tonumber(redis.call('GET', KEYS[13]) or 0)
redis.call('SET', KEYS[13], text(math.max(sequence, last)), 'PX', ARGV[2])
if sequence <= last then
  return 0
end
local first, key = 3, 14
while key <= #KEYS do
  local records, keep, values = tonumber(ARGV[first]), ARGV[first + 1], tonumber(ARGV[first + 2])
  local original = KEYS[key]
  redis.call('HSET', original, unpack(ARGV, first + 3, first + 2 + values))
  redis.call('EXPIRE', original, keep)
  -- A copy is kept as long as its original, and costs a fourth of another HSET and EXPIRE.
  for index = key + 1, key + records - 1 do
    redis.call('COPY', original, KEYS[index], 'REPLACE')
  end
  first, key = first + 3 + values, key + records
end
local now = clock()
local total = (#ARGV - first + 1) / 4
local number = redis.call('HINCRBY', STATE, 'number', total) - total
local waiting, soonest = {{}, {}, {}, {}}, nil
for at = first, #ARGV, 4 do
  local priority, delay, actor = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  number = number + 1
  local entry = entry_of(priority, now + delay, number, actor, ARGV[at + 3])
  if delay > 0 then
    redis.call('ZADD', DUE, now + delay, entry)
    count('l', priority, actor, 1)
    soonest = math.min(soonest or now + delay, now + delay)
  else
    local line = waiting[priority + 1]
    line[#line + 1] = entry
    count('w', priority, actor, 1)
  end
end
local any = false
for level, line in ipairs(waiting) do
  if #line > 0 then
    in_chunks('RPUSH', READY[level], line)
    any = true
  end
end
if any then
  ring()
elseif soonest then
  ring_for(soonest, now)
end
save_counts()
return total
