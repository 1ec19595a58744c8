-- Open writes whose node is gone, or is the one that asks. KEYS: open writes, nodes. ARGV: node.
local found = {'ok'}
local writes = redis.call('HGETALL', KEYS[1])
for i = 1, #writes, 2 do
  local node, by = string.match(writes[i + 1], '^([^|]*)|([^|]*)|')
  if node == ARGV[1] or (node and redis.call('HEXISTS', KEYS[2], node) == 0) then
    found[#found + 1] = writes[i]
    found[#found + 1] = node == ARGV[1] and '' or by
    if #found > 2000 then break end
  end
end
return found
