-- A node comes in. KEYS: state, nodes. ARGV: run, a new epoch's name, node, prefix of inboxes, lease in ms.
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then
  for _, node in ipairs(redis.call('HKEYS', KEYS[2])) do
    redis.call('DEL', ARGV[4] .. node)
  end
  redis.call('DEL', KEYS[2])
  -- Open writes stay, if there are any: they are ended by their nodes, or as those of nodes that are gone.
  redis.call('HSET', KEYS[1], 'run', ARGV[1], 'epoch', ARGV[2], 'settled', '0', 'lease', ARGV[5])
end
local state = redis.call('HMGET', KEYS[1], 'epoch', 'settled', 'lease')
if state[3] ~= ARGV[5] then
  if #redis.call('HKEYS', KEYS[2]) > 0 then return {'lease', state[3]} end
  redis.call('HSET', KEYS[1], 'lease', ARGV[5])
end
redis.call('HSET', KEYS[2], ARGV[3], '0')
return {'ok', state[1], state[2]}
