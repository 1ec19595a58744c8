-- A reply, or the right to keep it. KEYS: state, nodes, generations, writes under way, entry, flight, schemas, readers of each slot.
-- ARGV: epoch, node, origin, greatest age in ms or -1 where no entry will do, life of a flight in ms, the slots.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'settled')
if state[1] ~= ARGV[1] then return {'epoch'} end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {'expelled'} end
if state[2] ~= '1' then return {'unsettled'} end
local slots = {}
for i = 6, #ARGV do slots[#slots + 1] = ARGV[i] end
for _, count in ipairs(redis.call('HMGET', KEYS[4], unpack(slots))) do
  if count then return {'written'} end
end
local generations = redis.call('HMGET', KEYS[3], unpack(slots))
for i, generation in ipairs(generations) do
  if not generation then
    redis.call('HSET', KEYS[3], slots[i], '0')
    generations[i] = '0'
  end
  redis.call('HSET', KEYS[7 + i], ARGV[2], generations[i])
end
local stamps = ARGV[1] .. ':' .. table.concat(generations, ',')
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local schema = redis.call('HGET', KEYS[7], ARGV[3]) or '0'
local oldest = tonumber(ARGV[4])
if oldest >= 0 then
  local entry = redis.call('GET', KEYS[5])
  if entry and string.sub(entry, 1, #stamps + 1) == stamps .. '\n' then
    local born = tonumber(string.sub(entry, #stamps + 2, #stamps + 17))
    if born and now - born < oldest then return {'found', schema, now, stamps, entry} end
  end
  -- Its own flight of before is of no use to a node that asks again.
  if not redis.call('SET', KEYS[6], ARGV[2], 'NX', 'PX', ARGV[5]) and redis.call('GET', KEYS[6]) ~= ARGV[2] then
    return {'elsewhere'}
  end
end
return {'lead', schema, now, stamps}
