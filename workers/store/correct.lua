-- Keeps what was said of a message in place of what was said before, or takes it back.
-- KEYS[1] corrections, KEYS[2] their ranks, KEYS[3] version, KEYS[4] changes
-- ARGV[1] message id, ARGV[2] rank (a later one is higher), ARGV[3] by how much a person's word ranks higher,
-- ARGV[4] the correction ("": take it back), ARGV[5] most corrections, ARGV[6] most changes, ARGV[7] the change (JSON)
-- Replies {status, version}; status is kept, replaced, older, outranked, withdrawn or unknown
local held = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or '')
local version = redis.call('GET', KEYS[3]) or '0'
local rank, person = tonumber(ARGV[2]), tonumber(ARGV[3])
local status = held and 'replaced' or 'kept'
if ARGV[4] == '' then
  if not held then return { 'unknown', version } end
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  status = 'withdrawn'
else
  if held and held >= person and rank < person then return { 'outranked', version } end
  if held and held % person > rank % person then return { 'older', version } end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
  redis.call('ZADD', KEYS[2], string.format('%.0f', rank), ARGV[1])
  while redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[5]) do
    local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    redis.call('HDEL', KEYS[1], first)
    redis.call('ZREM', KEYS[2], first)
  end
end
-- By the clock, not counted: after a restore from a backup a count would give a former version's number again.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
version = string.format('%.0f', math.max(now, tonumber(version) + 1))
redis.call('SET', KEYS[3], version)
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[6], '*', 'version', version, 'status', status, 'change', ARGV[7])
return { status, version }
