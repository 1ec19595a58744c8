-- A write has ended. KEYS: writes under way, open writes, who has not answered. ARGV: write.
local write = redis.call('HGET', KEYS[2], ARGV[1])
if not write then return {'ok', 0} end
for slot in string.gmatch(string.match(write, '[^|]*$'), '(%x+)=') do
  if redis.call('HINCRBY', KEYS[1], slot, -1) <= 0 then redis.call('HDEL', KEYS[1], slot) end
end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
return {'ok', 1}
