-- KEYS[1] folder; ARGV[1] owner, ARGV[2] lease (ms), ARGV[3] process since (ms, 0: now) for a new folder
-- Replies {} while another holds the folder (and notes that one more look is wanted), else
-- {link, since, synced_at, error}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'owner', 'until')
if held[1] and held[1] ~= '' and held[1] ~= ARGV[1] and (tonumber(held[2]) or 0) > now then
  redis.call('HSET', KEYS[1], 'again', '1')
  return {}
end
if redis.call('HEXISTS', KEYS[1], 'since') == 0 then
  -- Graph dates arrivals to the whole second: mail of this very second is new, too.
  redis.call('HSET', KEYS[1], 'since', ARGV[3] == '0' and now - now % 1000 or ARGV[3])
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', now + ARGV[2])
local state = redis.call('HMGET', KEYS[1], 'link', 'since', 'synced_at', 'error')
return { state[1] or '', state[2], state[3] or '0', state[4] or '' }
