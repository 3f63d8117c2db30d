-- The answer to a path is the value under that path in Redis: the least one can ask for. Connections
-- to Redis are kept, and bounded: who finds none free waits for one.
local redis = require "nginx.redis"
local connection = redis:new()
connection:set_timeouts(1000, 30000, 30000)
local ok, err = connection:connect("127.0.0.1", tonumber(ngx.var.redis_port), { pool = "values", pool_size = 128, backlog = 20000 })
if not ok then
  ngx.log(ngx.ERR, err)
  return ngx.exit(503)
end
local value, failure = connection:get(ngx.var.uri)
if failure then
  ngx.log(ngx.ERR, failure)
  return ngx.exit(503)
end
connection:set_keepalive(60000, 128)
if value == ngx.null then
  return ngx.exit(404)
end
ngx.header.content_length = #value
ngx.print(value)
