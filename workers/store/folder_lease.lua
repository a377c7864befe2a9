-- KEYS[1] folder, KEYS[2] watched_since; ARGV[1] owner, ARGV[2] lease (ms), ARGV[3] process since (ms; 0: as it is,
-- or now for a new folder), ARGV[4] seconds to remember since when it is watched
-- Replies {} while another holds the folder (and notes that one more look is wanted), else
-- {link, since, synced_at, error, listed, counted_at, "1" if its messages were listed before}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'owner', 'until', 'synced_at')
if held[1] and held[1] ~= '' and held[1] ~= ARGV[1] and (tonumber(held[2]) or 0) > now then
  redis.call('HSET', KEYS[1], 'again', '1')
  return {}
end
local since = redis.call('GET', KEYS[2])
-- Without a record of the folder it is one that was lost, not one that was never listed.
local was_listed = since and (held[3] or not held[1]) and '1' or ''
if not since then
  -- Graph dates arrivals to the whole second: mail of this very second is new, too.
  since = ARGV[3] == '0' and string.format('%.0f', now - now % 1000) or ARGV[3]
elseif ARGV[3] ~= '0' and ARGV[3] ~= since then
  -- Configured anew: what an earlier beginning adds is found by listing.
  if tonumber(ARGV[3]) < tonumber(since) then redis.call('HDEL', KEYS[1], 'link', 'listed') end
  since = ARGV[3]
end
redis.call('SET', KEYS[2], since, 'EX', ARGV[4])
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', now + ARGV[2])
local state = redis.call('HMGET', KEYS[1], 'link', 'synced_at', 'error', 'listed', 'counted_at')
return { state[1] or '', since, state[2] or '0', state[3] or '', state[4] or '', state[5] or '0', was_listed }
