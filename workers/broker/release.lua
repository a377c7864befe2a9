-- End a lease and give back what it held. KEYS[13] what it held, KEYS[14] the worker.
-- ARGV: lease, why: 'dead' (told by its supervisor), 'expired' (found by another), 'leaving' (by itself).
-- Reply: how many messages were given back, or -1 if the lease has not run out after all.
local HAND, WORKER, lease, why = KEYS[13], KEYS[14], ARGV[1], ARGV[2]
local ends = redis.call('ZSCORE', LEASES, lease)
if why == 'expired' and ends and tonumber(ends) > clock() then
  return -1
end
pass_when_full(WORKER)
local held, alone = redis.call('HVALS', HAND), redis.call('HGET', WORKER, 'alone')
table.sort(held, function(a, b)
  local ready, other = string.sub(a, 4, 16), string.sub(b, 4, 16)
  return ready < other or (ready == other and tonumber(number_of(a)) < tonumber(number_of(b)))
end)
if why == 'leaving' then
  -- Newest first: each goes to the front of its line.
  for at = #held, 1, -1 do
    give_back(held[at])
  end
else
  for _, entry in ipairs(held) do
    local company, died_alone = blame_of(entry)
    -- Only a death while running alone blames a message: neighbours and random kills prove nothing.
    if #held == 1 and (alone == 'brief' or alone == 'strict') then
      died_alone = math.min(died_alone + 1, 9)
    else
      company = math.min(company + 1, 9)
    end
    suspect(string.sub(entry, 1, 1) .. company .. died_alone .. string.sub(entry, 4))
  end
end
redis.call('DEL', HAND, WORKER)
redis.call('ZREM', LEASES, lease)
local keeper, warden = unpack(redis.call('HMGET', STATE, 'keeper', 'warden'))
if keeper == lease then
  redis.call('HDEL', STATE, 'keeper', 'wake')
end
if warden == lease then
  redis.call('HDEL', STATE, 'warden', 'warden_since')
end
-- Even with nothing to give back: its death may have swallowed a ring, or left nobody to wake for delayed messages.
ring()
save_counts()
return #held
