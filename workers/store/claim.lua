-- Takes a message for one queue message (the owner) and hands back its record; the owner may take it again.
-- A dead one comes back to life: only a person's retry or a new request brings it here.
-- KEYS[1] record, KEYS[2] unfinished, KEYS[3] paused, KEYS[4] content, KEYS[5] version of the corrections
-- ARGV[1] owner, ARGV[2] lease (ms), ARGV[3] reopen: "none", "skipped" (they start anew) or "all" (done ones
-- are claimed as they are, too), ARGV[4] member of unfinished, ARGV[5] "1": with the content
-- Replies {status, paused names, content or "", version of the corrections or "", fields...}: status is missing,
-- finished, claimed or busy (then only the ms left)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return { 'missing' } end
local anew = state == 'recorded' or state == 'dead' or (state == 'skipped' and ARGV[3] ~= 'none')
local finished = state == 'done' or (state == 'skipped' and not anew)
local status = 'finished'
if not finished or ARGV[3] == 'all' then
  local held = redis.call('HMGET', KEYS[1], 'claim_owner', 'claim_until', 'history', 'fence')
  local left = (tonumber(held[2] or '0') or 0) - now
  if held[1] and held[1] ~= '' and held[1] ~= ARGV[1] and left > 0 then
    return { 'busy', tostring(left) }
  end
  -- By the clock, not counted: after a restore from a backup a count would give a former claim's number again.
  local fence = math.max(time[1] * 1000000 + time[2], (tonumber(held[4]) or 0) + 1)
  redis.call('HSET', KEYS[1], 'claim_owner', ARGV[1], 'claim_until', now + ARGV[2],
    'fence', string.format('%.0f', fence))
  if anew then
    redis.call('HSET', KEYS[1], 'state', 'claimed', 'claimed_at', now,
      'history', (held[3] or '') .. ' claimed@' .. now)
  end
  if not finished then redis.call('ZADD', KEYS[2], now, ARGV[4]) end
  status = 'claimed'
end
local content = ARGV[5] == '1' and status == 'claimed' and redis.call('GET', KEYS[4])
local taught = redis.call('GET', KEYS[5])
return { status, redis.call('SMEMBERS', KEYS[3]), content or '', taught or '', unpack(redis.call('HGETALL', KEYS[1])) }
