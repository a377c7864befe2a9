-- Lets a job wait for the end of a message, or says that it has ended.
-- KEYS[1] record; ARGV[1] job id. Replies missing, waiting or finished
local held = redis.call('HMGET', KEYS[1], 'state', 'jobs')
if not held[1] then return 'missing' end
if held[1] == 'done' or held[1] == 'skipped' or held[1] == 'dead' then return 'finished' end
local jobs = held[2] or ''
if not string.find(' ' .. jobs .. ' ', ' ' .. ARGV[1] .. ' ', 1, true) then
  redis.call('HSET', KEYS[1], 'jobs', jobs == '' and ARGV[1] or jobs .. ' ' .. ARGV[1])
end
return 'waiting'
