-- Puts one task into a queue of asynq v0.26 so that it is due now, whatever is there
-- already. Go and PHP run the same text.
--
-- KEYS  1 task  2 pending  3 active  4 lease  5 scheduled  6 retry  7 archived
--       8 completed        (all carry the hash tag {queue}, so one cluster slot)
-- ARGV  1 message (protobuf)  2 task id  3 now, unix nanoseconds
--
-- Returns 0 already queued: it waits or runs; nothing was changed
--         1 enqueued: there was no task
--         2 replaced: an archived or completed task made room
--         3 promoted: a task that waited for its retry or its time is due now
--         4 repaired: what was there could never have run
local task, pending, active = KEYS[1], KEYS[2], KEYS[3]
local msg, id, now = ARGV[1], ARGV[2], ARGV[3]

-- A backlog of a million tasks must not make every enqueue walk through it, so pending
-- is searched this far from either end only; an id that hides deeper is the queue
-- doctor's. Active is as long as all workers have slots.
local REACH = {[pending] = 128, [active] = 4096}

-- Where the id is in a list: 1 near the head, -1 near the tail, 0 not in the list,
-- nil when the list is too long to know.
local function find(list)
  local reach = REACH[list]
  if redis.call("LPOS", list, id, "MAXLEN", reach) then return 1 end
  if redis.call("LLEN", list) <= reach then return 0 end
  if redis.call("LPOS", list, id, "RANK", -1, "MAXLEN", reach) then return -1 end
  return nil
end

local function remove(list)
  local side = find(list)
  while side == 1 or side == -1 do
    redis.call("LREM", list, side, id)
    side = find(list)
  end
end

local held = redis.call("HMGET", task, "state", "msg")
local state, whole = held[1], held[2] and #held[2] > 0

if whole then
  if state == "pending" and find(pending) ~= 0 then return 0 end
  if state == "active" and find(active) ~= 0 then return 0 end
  if state == "retry" or state == "scheduled" then
    redis.call("HSET", task, "state", "pending", "pending_since", now)
    redis.call("ZREM", KEYS[5], id)
    redis.call("ZREM", KEYS[6], id)
    redis.call("LPUSH", pending, id)
    return 3
  end
end

local result = 4
if not state and redis.call("EXISTS", task) == 0 then
  result = 1
elseif whole and (state == "archived" or state == "completed") then
  result = 2
end

-- The HSET comes first: Redis refuses it when memory is full, but no command any
-- more once a script has written something.
redis.call("HSET", task, "msg", msg, "state", "pending", "pending_since", now)
redis.call("HDEL", task, "result", "unique_key", "group")
-- Ids that outlived their hash would run the new task twice, or stay for ever.
remove(pending)
remove(active)
for i = 4, 8 do
  redis.call("ZREM", KEYS[i], id)
end
redis.call("LPUSH", pending, id)
return result
