-- lua/vendors/openai.lua
-- Speaks OpenAI's chat completions, and those of servers that are compatible, as a streaming
-- avatar provider (text).
--
-- source   github.com/openai/openai-openapi at f85dbe2, and developers.openai.com, read 2026-11
-- meters   token_unit: an estimate of the prompt, then one token for each delta of text; the
--          stream's last chunk has the true figures. A stream that is cut has none: then what
--          was counted stands
-- stops    closing the stream; what was generated is billed
-- secrets  openai.api_key
-- config   model; max_tokens = true for servers that do not read max_completion_tokens;
--          temperature; prices (the tenant's own, for the host)

local http = require "twin.http"
local json = require "twin.json"
local provider = require "twin.provider"

-- Not a reasoning model: hidden tokens would be billed and not seen until the end.
local MODEL_DEFAULT = "gpt-4.1-mini"
local BYTES_PER_TOKEN = 4
local TOKENS_PER_MESSAGE = 4

local openai = provider.streaming_avatar {
  name = "openai",
  modes = { "text" },
  base_url = "https://api.openai.com/v1",
  quantum_tokens = 256,
  prompt = { bytes_per_token = BYTES_PER_TOKEN, tokens_per_message = TOKENS_PER_MESSAGE },
}

local kind_of_code = {
  insufficient_quota = "out_of_money",
  billing_hard_limit_reached = "out_of_money",
  rate_limit_exceeded = "retryable",
  server_error = "retryable",
  invalid_api_key = "rejected",
  model_not_found = "rejected",
  invalid_request_error = "rejected",
}

-- Of the error object only its tokens are passed on: its message may repeat the key.
local function read_error(err)
  local code = type(err.code) == "string" and err.code or nil
  local type_of = type(err.type) == "string" and err.type or nil
  return kind_of_code[code] or kind_of_code[type_of], code or type_of
end

local function errors(_, body)
  return read_error(type(body.error) == "table" and body.error or {})
end

local function prompt_estimate(bytes, messages)
  return math.ceil(bytes / BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE * messages
end

-- The conversation, and an estimate of its tokens.
local function prompt_of(session, input)
  if input.messages ~= nil then
    return input.messages, prompt_estimate(input.prompt_bytes, input.prompt_messages)
  end
  local text, instructions = input.text or "", session.instructions or ""
  local messages = { { role = "user", content = text } }
  if instructions ~= "" then
    table.insert(messages, 1, { role = "system", content = instructions })
  end
  return messages, prompt_estimate(#instructions + #text, #messages)
end

local function smallest(...)
  local least
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if value ~= nil and (least == nil or value < least) then
      least = value
    end
  end
  return least
end

local function request_of(session, messages, tokens_max)
  local body = {
    model = session.model,
    messages = messages,
    temperature = session.temperature,
    stream = true,
    stream_options = { include_usage = true },
  }
  body[session.max_tokens and "max_tokens" or "max_completion_tokens"] = tokens_max
  return {
    method = "POST",
    path = "/chat/completions",
    headers = { accept = "text/event-stream" },
    auth = { secret = "openai.api_key", header = "authorization", prefix = "Bearer " },
    json = body,
    errors = errors,
  }
end

-- The text that a chunk adds; a refusal is text as well.
local function delta_of(chunk)
  local choice = type(chunk.choices) == "table" and chunk.choices[1]
  local delta = type(choice) == "table" and choice.delta
  if type(delta) ~= "table" then
    return ""
  end
  local text = delta.content or delta.refusal
  return type(text) == "string" and text or ""
end

local function is_count(value)
  return type(value) == "number" and value >= 0 and value < 2 ^ 53 and value == math.floor(value)
end

-- Takes in one event. `state` tells what has been seen: error, done, total.
local function take_chunk(state, data, name, input, usage)
  local chunk = json.decode(data)
  if data == "[DONE]" then
    state.done = true
  elseif type(chunk) ~= "table" then
    state.error = provider.error("malformed", "a chunk is not JSON")
  elseif name == "error" or type(chunk.error) == "table" then
    local kind, detail = read_error(type(chunk.error) == "table" and chunk.error or chunk)
    state.error = provider.error(kind or "retryable", detail or "stream error")
  else
    if type(chunk.usage) == "table" and is_count(chunk.usage.total_tokens) then
      state.total = chunk.usage.total_tokens
    end
    local text = delta_of(chunk)
    if text ~= "" then
      usage { tokens = 1 }
      input.emit_text(text)
    end
  end
end

-- Reads the stream from where it is to its end, past [DONE], so that the connection can be used
-- again.
local function read_chunks(stream, state, input, usage)
  for data, name in stream:events() do
    if not state.done then
      take_chunk(state, data, name, input, usage)
    end
    if state.error ~= nil then
      stream:close()
      return
    end
  end
end

function openai.initialize_session(config, limits)
  local own, persona = config.provider or {}, config.persona or {}
  return {
    model = own.model or MODEL_DEFAULT,
    max_tokens = own.max_tokens == true,
    temperature = own.temperature,
    instructions = persona.instructions,
    tokens_max = limits.tokens,
  }
end

function openai.drive_avatar(session, input, usage)
  local messages, estimate = prompt_of(session, input)
  usage { tokens = estimate }
  local tokens_max = smallest(session.tokens_max, input.tokens_max)
  local stream, err = http.stream(request_of(session, messages, tokens_max))
  if stream == nil then
    return nil, err
  end
  local state = {}
  provider.through_cut(stream, function()
    read_chunks(stream, state, input, usage)
  end)
  if state.total ~= nil then
    usage.final { tokens = state.total }
  end
  local ok
  ok, err = stream:finish()
  if state.error ~= nil then
    return nil, state.error
  elseif state.done then
    return true
  elseif ok then
    return nil, provider.error("malformed", "the stream ended early", stream.status)
  end
  return nil, err
end

-- The stream ended with the verb that read it.
function openai.terminate()
  return "stopped"
end

return openai
