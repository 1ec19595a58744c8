-- A write is about to be sent. KEYS: state, nodes, generations, writes under way, open writes, who has not answered, schemas, readers of
-- each slot. ARGV: epoch, node, write, what others are told, prefix of inboxes, its origin and backend, the origin, the origin's slot, the
-- slots.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'settled')
if state[1] ~= ARGV[1] then return {'epoch'} end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {'expelled'} end
-- Whoever writes anything of the origin may change what other writes do.
local is_all_written = redis.call('HGET', KEYS[4], ARGV[8]) and '1' or '0'
local known = redis.call('HGET', KEYS[5], ARGV[3])
if known then
  -- Once more: its answer was lost, or its node has another name now.
  known = string.gsub(known, '^[^|]*', ARGV[2])
  redis.call('HSET', KEYS[5], ARGV[3], known)
else
  local told, slots = {}, {}
  for i = 9, #ARGV do
    local generation = '0'
    -- One that nobody has looked at has none, and needs none.
    if redis.call('HEXISTS', KEYS[3], ARGV[i]) == 1 then
      generation = redis.call('HINCRBY', KEYS[3], ARGV[i], 1)
    end
    redis.call('HINCRBY', KEYS[4], ARGV[i], 1)
    slots[#slots + 1] = ARGV[i] .. '=' .. generation
    local readers = KEYS[i - 1]
    for _, reader in ipairs(redis.call('HKEYS', readers)) do
      if redis.call('HEXISTS', KEYS[2], reader) == 0 then
        redis.call('HDEL', readers, reader)
      elseif reader ~= ARGV[2] then
        told[reader] = true
      end
    end
  end
  slots = table.concat(slots, ',')
  redis.call('HSET', KEYS[5], ARGV[3], ARGV[2] .. '|' .. ARGV[6] .. '|' .. slots)
  for reader in pairs(told) do
    local inbox, words = ARGV[5] .. reader, ARGV[4]
    if redis.call('XLEN', inbox) >= 10000 then
      -- It reads no more: all that it has been told, in one word. Who waits for its answers waits for its lease.
      redis.call('DEL', inbox)
      words = '*'
    end
    redis.call('XADD', inbox, '*', 'w', ARGV[3], 't', words, 's', slots)
    redis.call('SADD', KEYS[6], reader)
  end
end
local answer = {'ok', state[2], is_all_written, redis.call('HGET', KEYS[7], ARGV[7]) or '0'}
for _, reader in ipairs(redis.call('SMEMBERS', KEYS[6])) do
  local renewed = redis.call('HGET', KEYS[2], reader)
  if renewed then
    answer[#answer + 1] = reader
    answer[#answer + 1] = renewed
  end
end
return answer
