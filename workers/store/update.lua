-- Writes fields of a claimed message, if the claim is still the writer's.
-- KEYS[1] record, KEYS[2] unfinished, KEYS[3] events to be told; ARGV[1] fence, ARGV[2] new state or "", ARGV[3] "1": release the claim,
-- ARGV[4] member of unfinished, ARGV[5] lease (ms, renewed), ARGV[6] fields to drop (their names by spaces), ARGV[7] how
-- many events tell of it, then id and JSON of each; then field, value...
local held = redis.call('HMGET', KEYS[1], 'fence', 'state', 'history')
if held[1] ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local told = 7 + 2 * ARGV[7]
redis.call('HSET', KEYS[1], 'claim_until', now + ARGV[5], unpack(ARGV, told + 1))
for name in string.gmatch(ARGV[6], '%S+') do redis.call('HDEL', KEYS[1], name) end
if ARGV[2] ~= '' and ARGV[2] ~= held[2] then
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'history', (held[3] or '') .. ' ' .. ARGV[2] .. '@' .. now)
  redis.call('ZADD', KEYS[2], now, ARGV[4])
end
if told > 7 then redis.call('HSET', KEYS[3], unpack(ARGV, 8, told)) end
if ARGV[3] == '1' then redis.call('HSET', KEYS[1], 'claim_owner', '') end
return 1
