-- Leases shares of rate limits. KEYS: each limit's moment; ARGV for each: requests a minute, how many are wanted.
-- Replies for each: how many are granted, how many are left after that, ms until there is one.
-- What is kept is the moment at which all of a limit is free again (GCRA): nothing, once it has passed.
local WINDOW = 60000
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local reply = {}
for index, key in ipairs(KEYS) do
  local limit, wanted = tonumber(ARGV[2 * index - 1]), tonumber(ARGV[2 * index])
  local each = WINDOW / limit
  local free_at = math.max(tonumber(redis.call('GET', key) or 0), now)
  -- Shares are whole: what is missing to the next one must not round up to it.
  local free = math.floor((now + WINDOW - free_at) / each + 1e-6)
  local granted = math.min(wanted, free)
  if granted > 0 then
    free_at = free_at + granted * each
    redis.call('SET', key, string.format('%.3f', free_at), 'PX', math.ceil(free_at - now))
  end
  local left = free - granted
  local wait = left > 0 and 0 or math.max(1, math.ceil(free_at + each - now - WINDOW))
  reply[index] = {granted, left, wait}
end
return reply
