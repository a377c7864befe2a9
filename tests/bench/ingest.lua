-- For wrk. KIND=listen N=20: notifications of 1,280 subscriptions; KIND=process: single messages. KEY: an API key.
local kind, n = os.getenv("KIND"), tonumber(os.getenv("N") or "1")

local function notification(i)
  return string.format('{"subscriptionId":"7f105c7d-2dc5-4530-97cd-%012d","clientState":"secret",'
    .. '"changeType":"created","resource":"Users/48d31887-5fad-4d73-a9f5-3c356e68a038/Messages/'
    .. 'AAMkAGUwNjQ4ZjIxLTQ3Y2YtNDViMi1hZjc4LTMzM2Q2ZDZkMzQxYgBGAAAAAAC7%08d",'
    .. '"subscriptionExpirationDateTime":"2026-12-20T18:23:45.9356913Z","resourceData":'
    .. '{"@odata.type":"#Microsoft.Graph.Message","@odata.id":"Users/48d31887/Messages/AAMk%08d",'
    .. '"@odata.etag":"W/\\"CQAAABYAAAC\\"","id":"AAMkAGUwNjQ4ZjIxLTQ3Y2YtNDViMi1hZjc4LTMzM2Q2ZDZkMzQx'
    .. 'YgBGAAAAAAC7%08d"},"tenantId":"84bd8158-6d4d-4958-8b9f-9d6445542f95"}', i, i, i, i)
end

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
if kind == "process" then
  wrk.headers["Authorization"] = "Bearer " .. os.getenv("KEY")
end
local priorities, bodies = {"urgent", "high", "normal", "low"}, {}
for b = 1, 64 do
  if kind == "process" then
    bodies[b] = string.format('{"messageId":"AAMkAGUwNjQ4ZjIx%08d","organizationId":"acme","priority":"%s"}',
      b, priorities[b % 4 + 1])
  else
    local items = {}
    for i = 1, n do
      items[i] = notification(b * 20 + i)
    end
    bodies[b] = '{"value":[' .. table.concat(items, ",") .. ']}'
  end
end

local path, k = kind == "process" and "/emails/process" or "/listen", 0
request = function()
  k = k % 64 + 1
  return wrk.format(nil, path, nil, bodies[k])
end
done = function(s, l)
  print(string.format("WRK %d %d %.3f %.3f %d", s.requests, s.duration, l:percentile(50) / 1000,
    l:percentile(99) / 1000, s.errors.status + s.errors.read + s.errors.write + s.errors.timeout
    + s.errors.connect))
end
