-- Take dead letters out: for good, or sent again in the same step.
-- ARGV: 'purge' or 'retry', then per letter: id and, to retry, the message's body. Reply: how many were there.
local retry, step, found = ARGV[1] == 'retry', ARGV[1] == 'retry' and 2 or 1, 0
pass_when_full(STATE)
local now = clock()
for at = 2, #ARGV, step do
  local letter = redis.call('HGET', LETTERS, ARGV[at])
  if letter then
    local priority, actor = heading(letter)
    redis.call('HDEL', LETTERS, ARGV[at])
    redis.call('ZREM', DEAD, ARGV[at])
    count('d', priority, actor, -1)
    if retry then
      redis.call('RPUSH', READY[priority + 1], entry_of(priority, now, number_of(letter), actor, ARGV[at + 1]))
      count('w', priority, actor, 1)
    end
    found = found + 1
  end
end
if retry and found > 0 then
  ring()
end
save_counts()
return found
