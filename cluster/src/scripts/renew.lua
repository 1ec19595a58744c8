-- A node's lease, and what it must be told first. KEYS: state, nodes, its inbox. ARGV: epoch, node, the last message it dealt with.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'settled')
if state[1] ~= ARGV[1] then return {'epoch'} end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {'expelled'} end
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
redis.call('XTRIM', KEYS[3], 'MINID', ARGV[3])
return {'ok', state[2], redis.call('XRANGE', KEYS[3], '(' .. ARGV[3], '+')}
