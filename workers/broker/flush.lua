-- Drop what waits, is delayed or dead. What runs is left to its worker.
for _, key in ipairs({SUSPECTS, DUE, DEAD, LETTERS, unpack(READY)}) do
  redis.call('DEL', key)
end
for _, field in ipairs(redis.call('HKEYS', COUNTS)) do
  if string.sub(field, 1, 1) ~= 'r' then
    redis.call('HDEL', COUNTS, field)
  end
end
