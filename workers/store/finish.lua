-- Ends a claimed message: state, journal and index in one step. A second call changes nothing.
-- KEYS[1] record, KEYS[2] unfinished, KEYS[3] journal, KEYS[4] content, KEYS[5] events to be told
-- ARGV[1] fence or "any", ARGV[2] state, ARGV[3] reason, ARGV[4] member of unfinished, ARGV[5] journal line
-- (JSON), ARGV[6] how many events tell of it, then id and JSON of each; then field, value...
-- Replies {status, jobs that wait, ms since seen, ms since claimed, ms since notified or ""}. The jobs stay
-- written: who is killed before telling them tells them when the queue message comes again.
local held = redis.call('HMGET', KEYS[1], 'fence', 'state', 'history', 'jobs', 'seen_at', 'claimed_at', 'notified_at')
if not held[2] then return { 'missing' } end
if ARGV[1] ~= 'any' and held[1] ~= ARGV[1] then return { 'lost' } end
local jobs = held[4] or ''
if held[2] == 'done' or held[2] == 'skipped' or held[2] == 'dead' then
  redis.call('HSET', KEYS[1], 'claim_owner', '')
  redis.call('ZREM', KEYS[2], ARGV[4])
  return { 'already', jobs }
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local told = 6 + 2 * ARGV[6]
if #ARGV > told then redis.call('HSET', KEYS[1], unpack(ARGV, told + 1)) end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'reason', ARGV[3], 'finished_at', now, 'claim_owner', '',
  'history', (held[3] or '') .. ' ' .. ARGV[2] .. '@' .. now)
redis.call('ZREM', KEYS[2], ARGV[4])
redis.call('XADD', KEYS[3], '*', 'line', ARGV[5])
if ARGV[2] ~= 'dead' then
  redis.call('UNLINK', KEYS[4])
  -- Its first categories stay: what people change later shows against them.
  redis.call('HDEL', KEYS[1], 'etag')
end
if told > 6 then redis.call('HSET', KEYS[5], unpack(ARGV, 7, told)) end
local notified = ''
if held[7] then notified = tostring(now - held[7]) end
return { 'finished', jobs, tostring(now - (held[5] or now)), tostring(now - (held[6] or now)), notified }
