-- Unfinished messages that were queued again: each is left alone for longer than the time before.
-- What is not finished does not expire, either.
-- KEYS[1] unfinished, then a record for each; ARGV[1] shortest rest (ms), ARGV[2] retention (ms), then the
-- members of unfinished
-- Replies how many have no record any more (and are forgotten)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local gone = 0
for at = 2, #KEYS do
  if redis.call('EXISTS', KEYS[at]) == 0 then
    redis.call('ZREM', KEYS[1], ARGV[at + 1])
    gone = gone + 1
  else
    local times = redis.call('HINCRBY', KEYS[at], 'queued_again', 1)
    redis.call('PEXPIRE', KEYS[at], ARGV[2])
    local rest = ARGV[1] * (2 ^ math.min(times, 6) - 1)
    redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now + rest), ARGV[at + 1])
  end
end
return gone
