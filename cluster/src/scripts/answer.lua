-- A node has outdated what a write outdates. KEYS: nodes, open writes, who has not answered, readers of each slot. ARGV: node, write,
-- prefix of inboxes, the slots' generations that the write gave them.
for i = 4, #ARGV do
  local generation = redis.call('HGET', KEYS[i], ARGV[1])
  if generation and tonumber(generation) < tonumber(ARGV[i]) then redis.call('HDEL', KEYS[i], ARGV[1]) end
end
if redis.call('SREM', KEYS[3], ARGV[1]) == 1 and redis.call('SCARD', KEYS[3]) == 0 then
  local owner = string.match(redis.call('HGET', KEYS[2], ARGV[2]) or '', '^[^|]*')
  if redis.call('HEXISTS', KEYS[1], owner) == 1 then
    redis.call('XADD', ARGV[3] .. owner, '*', 'g', ARGV[2])
  end
end
return {'ok'}
