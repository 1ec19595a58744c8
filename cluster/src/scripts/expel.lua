-- A node goes: one that has not renewed since it was seen to have done so that often, or one that leaves by itself (no count).
-- KEYS: nodes, its inbox. ARGV: node, count.
if ARGV[2] and redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return {'ok', 0} end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return {'ok', 1}
