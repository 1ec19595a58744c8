-- All leases of before the epoch are over. KEYS: state. ARGV: epoch.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'epoch'} end
redis.call('HSET', KEYS[1], 'settled', '1')
return {'ok'}
