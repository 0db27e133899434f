-- Brings one task of asynq v0.26 into one consistent place, or out of the way. Whoever
-- calls it has only a suspicion, from a look that is over: workers go on meanwhile, so
-- everything is looked at again here.
--
-- KEYS  1 task  2 pending  3 active  4 lease  5 scheduled  6 retry  7 archived
--       8 completed  9 quarantine  10 task in quarantine
-- ARGV  1 id  2 where the id was seen: "pending", or something else
--       3 now, unix seconds  4 now, unix nanoseconds
--       5 message that can not be used, "" for none  6 why
--       7 longest message, bytes  8 most tasks in quarantine
--       9 what the names of keys in quarantine begin with
--
-- Returns 0 nothing to do
--         1 quarantined: nobody can read it
--         2 ghost: an id without a task was removed
--         3 remains: a task that lost its message was removed
--         4 requeued: a whole task was in no list, and waits again
--         5 leased: an active task had no lease; it has one that ends now, so that
--           its worker, if it lives, renews it, and asynq recovers it otherwise
--         6 leftover: an archived or completed task that no list knows was removed
--         7 misplaced: the id was removed from a second list
local task, pending, active, lease = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, seen, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
local limit = tonumber(ARGV[7])

-- The set that a waiting or finished task is in, by its state.
local HOME = {scheduled = KEYS[5], retry = KEYS[6], archived = KEYS[7], completed = KEYS[8]}

-- Removes the id from every list but keep. A pending list may hold a million ids, so it
-- is searched only where there is a reason, and from the end that is next.
local function remove(keep)
  local n = redis.call("LREM", active, 0, id) + redis.call("ZREM", lease, id)
  for _, set in pairs(HOME) do
    if set ~= keep then n = n + redis.call("ZREM", set, id) end
  end
  if seen == "pending" then n = n + redis.call("LREM", pending, -1, id) end
  return n
end

local function quarantine(reason, whole)
  remove(nil)
  redis.call("RENAME", task, KEYS[10])
  if whole then
    local msg = redis.call("HGET", KEYS[10], "msg")
    if msg and #msg > limit then
      redis.call("HSET", KEYS[10], "msg", string.sub(msg, 1, 1024))
    end
    redis.call("HSET", KEYS[10], "quarantine_reason", reason)
  end
  redis.call("ZADD", KEYS[9], now, id)
  while redis.call("ZCARD", KEYS[9]) > tonumber(ARGV[8]) do
    local oldest = redis.call("ZRANGE", KEYS[9], 0, 0)[1]
    redis.call("ZREM", KEYS[9], oldest)
    redis.call("DEL", ARGV[9] .. oldest)
  end
  return 1
end

-- The HSET comes first: Redis refuses it when memory is full, but no command any more
-- once a script has written something.
local function requeue()
  redis.call("HSET", task, "state", "pending", "pending_since", ARGV[4])
  remove(nil)
  redis.call("LPUSH", pending, id)
  return 4
end

local kind = redis.call("TYPE", task).ok
if kind == "none" then
  if remove(nil) > 0 then return 2 end
  return 0
end
if kind ~= "hash" then
  return quarantine("", false)
end

local length = redis.call("HSTRLEN", task, "msg")
if length == 0 then
  redis.call("DEL", task)
  remove(nil)
  return 3
end
if length > limit then
  return quarantine("is " .. length .. " bytes long, at most " .. limit .. " are allowed", true)
end
if ARGV[5] ~= "" and redis.call("HGET", task, "msg") == ARGV[5] then
  return quarantine(ARGV[6], true)
end

local state = redis.call("HGET", task, "state")
if state == "aggregating" then return 0 end -- a group's, which this service does not use

if state == "active" then
  local worked = redis.call("LPOS", active, id)
  local leased = redis.call("ZSCORE", lease, id)
  if not worked then return requeue() end
  local strays = 0
  for _, set in pairs(HOME) do strays = strays + redis.call("ZREM", set, id) end
  if seen == "pending" then strays = strays + redis.call("LREM", pending, -1, id) end
  if not leased then
    redis.call("ZADD", lease, now, id)
    return 5
  end
  if strays > 0 then return 7 end
  return 0
end

if state == "pending" then
  local found = redis.call("LPOS", pending, id, "RANK", -1)
  if not found then return requeue() end
  seen = "" -- it belongs there
  if remove(nil) > 0 then return 7 end
  return 0
end

local home = state and HOME[state]
if not home then return requeue() end
if redis.call("ZSCORE", home, id) then
  if remove(home) > 0 then return 7 end
  return 0
end
if state == "scheduled" or state == "retry" then return requeue() end
redis.call("DEL", task)
remove(nil)
return 6
