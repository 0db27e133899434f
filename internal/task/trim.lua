-- Removes the oldest archived tasks until only so many are left, and at most so many in
-- one call. asynq's own trimming breaks at about 8,000 of them, and then no task of the
-- queue can be archived any more.
--
-- KEYS  1 archived
-- ARGV  1 how many may stay  2 most in one call  3 what the names of tasks begin with
local over = redis.call("ZCARD", KEYS[1]) - tonumber(ARGV[1])
if over <= 0 then return 0 end
local ids = redis.call("ZRANGE", KEYS[1], 0, math.min(over, tonumber(ARGV[2])) - 1)
for _, id in ipairs(ids) do
  redis.call("ZREM", KEYS[1], id)
  local key = ARGV[3] .. id
  if redis.call("TYPE", key).ok == "hash" and redis.call("HGET", key, "state") == "archived" then
    redis.call("DEL", key)
  end
end
return #ids
