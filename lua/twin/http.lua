-- lua/twin/http.lua
-- HTTP requests to the vendor of the leg. The host puts in the base URL and the secret.
--
--   http.request { method, path, headers, json | body, auth, errors, total_ms, idle_ms,
--                  repeatable }
--       -> { status, body, text } | nil, err
--   http.stream { … }
--       -> stream | nil, err
--
-- `auth` names a secret: { secret = "openai.api_key", header = "authorization",
-- prefix = "Bearer " }. `errors(status, body, text)` may tell the kind and the detail of an answer
-- that is no success, from its body, which is a table when it is JSON. `repeatable`: to be asked
-- twice is the same as once, so a POST without a body may use a connection that was kept.

local native, wait, json, sse, provider = ...

local BODY_BYTES_MAX = 1024 * 1024
local EVENT_BYTES_MAX = 512 * 1024

local http = {}

-- How an exchange can end before its answer is whole. The vendor may have done what was asked
-- whenever the request may have reached it.
local endings = {
  unreached = { "retryable", "the vendor cannot be reached" },
  timeout = { "unknown", "the vendor did not answer in time" },
  cut = { "unknown", "the connection broke" },
  refused = { "malformed", "the answer broke HTTP or its limits" },
}

local function ending_error(result, status)
  local ending = endings[result] or endings.cut
  return provider.error(ending[1], ending[2], status)
end

local refusals = {
  denied = { "rejected", "no money is held for this leg any more" },
  not_found = { "rejected", "the secret is missing" },
  invalid = { "rejected", "the request or its secret cannot be used: see the log" },
}

local function kind_of_status(status)
  if status == 402 then
    return "out_of_money"
  elseif status == 408 or status == 409 or status == 425 or status == 429 or status >= 500 then
    return "retryable"
  elseif status >= 400 then
    return "rejected"
  end
  return "malformed"
end

local function start(spec, total_ms)
  local headers = {}
  for name, value in next, spec.headers or {} do
    headers[type(name) == "string" and name:lower() or name] = value
  end
  local body = spec.body
  if spec.json ~= nil then
    body = json.encode(spec.json)
    headers["content-type"] = "application/json"
  end
  local id, refusal = native.http_start {
    method = spec.method or (body ~= nil and "POST" or "GET"),
    path = spec.path,
    headers = headers,
    auth = spec.auth or {},
    body = body or "",
    idle_ms = spec.idle_ms or 30000,
    total_ms = spec.total_ms or total_ms,
    repeatable = spec.repeatable or false,
  }
  if id ~= nil then
    return id
  end
  local known = refusals[refusal] or { "retryable", "the request could not be started" }
  return nil, provider.error(known[1], known[2])
end

local function await_head(id)
  while true do
    local head = native.http_head(id)
    if head ~= nil then
      return head
    end
    local result = native.http_result(id)
    if result ~= nil then
      return nil, ending_error(result)
    end
    wait()
  end
end

-- The next bytes of an answer, or nil at its end.
local function read_piece(id)
  while true do
    local bytes = native.http_take(id)
    if bytes ~= nil then
      return bytes
    elseif native.http_result(id) ~= nil then
      return nil
    end
    wait()
  end
end

local function read_body(id)
  local pieces, size = {}, 0
  for piece in read_piece, id do
    size = size + #piece
    if size > BODY_BYTES_MAX then
      native.http_close(id)
      return nil, provider.error("malformed", "the answer is too long")
    end
    pieces[#pieces + 1] = piece
  end
  return table.concat(pieces)
end

-- The error of an answer whose status is no success.
local function status_error(spec, head, text)
  local kind, detail
  local body = json.decode(text)
  if spec.errors ~= nil then
    kind, detail = spec.errors(head.status, type(body) == "table" and body or {}, text)
  end
  return provider.error(kind or kind_of_status(head.status),
    detail or ("the vendor answered " .. head.status), head.status, head.retry_after)
end

local function is_success(status)
  return status >= 200 and status < 300
end

local function read_answer(spec, id)
  local head, text, err
  head, err = await_head(id)
  if head == nil then
    return nil, err
  end
  text, err = read_body(id)
  if not is_success(head.status) then
    return nil, status_error(spec, head, text or "")
  elseif text == nil then
    return nil, err
  elseif native.http_result(id) ~= "complete" then
    return nil, ending_error(native.http_result(id), head.status)
  end
  return { status = head.status, body = json.decode(text), text = text }
end

-- One request and its whole answer.
function http.request(spec)
  local id, err = start(spec, 15000)
  if id == nil then
    return nil, err
  end
  local answer
  answer, err = read_answer(spec, id)
  native.http_close(id)
  return answer, err
end

local stream = {}
stream.__index = stream
stream.__metatable = false

-- An answer that is read while it comes.
function http.stream(spec)
  local id, err = start(spec, 600000)
  if id == nil then
    return nil, err
  end
  local head
  head, err = await_head(id)
  if head == nil then
    return nil, err
  elseif not is_success(head.status) then
    return nil, status_error(spec, head, read_body(id) or "")
  end
  return setmetatable({ id = id, status = head.status }, stream)
end

-- The next bytes, or nil at the end.
function stream:read()
  return read_piece(self.id)
end

-- for bytes in stream:chunks() do
function stream:chunks()
  return function()
    return self:read()
  end
end

-- Feeds the parser until it has an event. Nil at the end, and when the events are unreadable.
local function next_event(self)
  while self.problem == nil do
    local data, name = self.parser:next()
    if data ~= nil then
      return data, name
    end
    local piece = self:read()
    if piece == nil then
      return nil
    elseif not self.parser:feed(piece) then
      self.problem = provider.error("malformed", "an event is too long", self.status)
      self:close()
    end
  end
end

-- for data, name in stream:events() do: server-sent events.
function stream:events()
  self.parser = self.parser or sse.parser(EVENT_BYTES_MAX)
  return next_event, self
end

-- True when the whole answer came, or all that came before stop(); else nil and an error.
function stream:finish()
  local result = native.http_result(self.id)
  if self.problem ~= nil then
    return nil, self.problem
  elseif result == "complete" or result == "stopped" then
    return true
  end
  return nil, ending_error(result, self.status)
end

-- Asks the vendor for no more; what it has sent still comes.
function stream:stop()
  native.http_stop(self.id)
end

-- Drops it.
function stream:close()
  native.http_close(self.id)
end

return http
