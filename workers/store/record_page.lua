-- Records the new messages of a delta page, parks their content and tells which of them still need a worker.
-- KEYS[1] unfinished; then for each message: record, located, content
-- ARGV[1] organization, ARGV[2] mailbox, ARGV[3] content TTL (ms), ARGV[4] record TTL (ms); then for each
-- message: id, state, reason, content, number of field/value pairs times two, fields...
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local needed = {}
local arg = 5
local index = 0
for key = 2, #KEYS, 3 do
  index = index + 1
  local record, located, content = KEYS[key], KEYS[key + 1], KEYS[key + 2]
  local id, state, reason, body, count = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2], ARGV[arg + 3], tonumber(ARGV[arg + 4])
  local known = redis.call('HGET', record, 'state')
  if not known then
    redis.call('HSET', record, 'organization', ARGV[1], 'mailbox', ARGV[2], 'message_id', id, 'state', state,
      'reason', reason, 'seen_at', now, 'fence', 0, 'history', state .. '@' .. now,
      unpack(ARGV, arg + 5, arg + 4 + count))
    redis.call('PEXPIRE', record, ARGV[4])
    redis.call('SET', located, ARGV[2], 'PX', ARGV[4])
    known = state
    if state == 'recorded' then
      redis.call('ZADD', KEYS[1], now, ARGV[2] .. '\n' .. id)
    end
  end
  -- Recorded but never claimed: a worker died between recording and queueing, or this is a replay.
  if known == 'recorded' then
    if body ~= '' then redis.call('SET', content, body, 'PX', ARGV[3]) end
    needed[#needed + 1] = index
  end
  arg = arg + 5 + count
end
return needed
