-- lua/vendors/cartesia.lua
-- Speaks Cartesia's text-to-speech as a streaming avatar provider (voice).
--
-- source   npm @cartesia/cartesia-js 4.2.0 and docs.cartesia.ai (tts/sse, api-errors,
--          concurrency-limits), read 2026-11
-- meters   minute_unit: our count of the decoded PCM bytes; Cartesia reports nothing
-- stops    closing the stream; whether the rest of the text is billed is not documented
-- secrets  cartesia.api_key
-- config   voice_id, model_id, version (of the API, a date), language; prices

local base64 = require "twin.base64"
local http = require "twin.http"
local json = require "twin.json"
local provider = require "twin.provider"

local PCM_BYTES_PER_MS = 48 -- s16le, 24 kHz, mono
local SAMPLE_RATE = 24000
local VERSION_DEFAULT = "2026-03-01" -- from here on, errors are JSON
local MODEL_DEFAULT = "sonic-3"
local VOICE_DEFAULT = "f786b574-daa5-4673-aa0c-cbe3e8534c02"

local cartesia = provider.streaming_avatar {
  name = "cartesia",
  modes = { "voice" },
  base_url = "https://api.cartesia.ai",
  price = { minute_usd = "0.045", dated = "2026-11-21" },
  quantum_ms = 5000,
  -- Speech is generated faster than it is heard: this much is under way when we say stop.
  stop_ms = 5000,
  audio_format = "pcm_s16le;rate=24000;channels=1",
}

local kind_of_code = {
  concurrency_limited = "retryable",
  rate_limited = "retryable",
  quota_exceeded = "out_of_money",
  credits_exhausted = "out_of_money",
  insufficient_credits = "out_of_money",
}

-- Bodies are JSON in recent versions of the API, "Title: Message" in older ones.
local function errors(status, body, text)
  local code = type(body.error_code) == "string" and body.error_code or nil
  if kind_of_code[code] ~= nil then
    return kind_of_code[code], code
  elseif status == 402 or text:lower():find("out of credits", 1, true) then
    return "out_of_money", code
  end
  return nil, code
end

local function request_of(session, text)
  return {
    method = "POST",
    path = "/tts/sse",
    headers = { ["cartesia-version"] = session.version, accept = "text/event-stream" },
    auth = { secret = "cartesia.api_key", header = "authorization", prefix = "Bearer " },
    json = {
      model_id = session.model_id,
      transcript = text,
      voice = { mode = "id", id = session.voice_id },
      language = session.language,
      output_format = { container = "raw", encoding = "pcm_s16le", sample_rate = SAMPLE_RATE },
    },
    errors = errors,
  }
end

local function stream_error(event)
  local status = type(event.status_code) == "number" and event.status_code or 0
  local kind, detail = errors(status, event, "")
  if kind == nil then
    kind = (status == 429 or status >= 500) and "retryable" or "rejected"
  end
  return provider.error(kind, detail or "stream error", status)
end

-- Counts PCM in whole milliseconds; what is left over counts with the next bytes.
local function meter_of(usage)
  local left_bytes = 0
  return function(bytes)
    local total = left_bytes + bytes
    local media_ms = math.floor(total / PCM_BYTES_PER_MS)
    left_bytes = total - media_ms * PCM_BYTES_PER_MS
    usage { media_ms = media_ms }
  end
end

-- Takes in one event. `state` tells what has been seen: error, done.
local function take_event(state, data, input, meter)
  local event = json.decode(data)
  if type(event) ~= "table" then
    state.error = provider.error("malformed", "an event is not JSON")
  elseif event.type == "chunk" then
    local pcm = type(event.data) == "string" and base64.decode(event.data) or nil
    if pcm == nil then
      state.error = provider.error("malformed", "a chunk is not base64")
    else
      meter(#pcm)
      input.emit_audio(pcm)
    end
  elseif event.type == "error" then
    state.error = stream_error(event)
  elseif event.type == "done" then
    state.done = true
  end
end

-- Reads the stream from where it is to its end, past "done", so that the connection can be used
-- again.
local function read_events(stream, state, input, meter)
  for data in stream:events() do
    if not state.done then
      take_event(state, data, input, meter)
    end
    if state.error ~= nil then
      stream:close()
      return
    end
  end
end

function cartesia.initialize_session(config)
  local own = config.provider or {}
  return {
    voice_id = own.voice_id or VOICE_DEFAULT,
    model_id = own.model_id or MODEL_DEFAULT,
    version = own.version or VERSION_DEFAULT,
    language = own.language or config.language,
  }
end

function cartesia.drive_avatar(session, input, usage)
  if (input.text or "") == "" then
    return true
  end
  local stream, err = http.stream(request_of(session, input.text))
  if stream == nil then
    return nil, err
  end
  local state, meter = {}, meter_of(usage)
  provider.through_cut(stream, function()
    read_events(stream, state, input, meter)
  end)
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
function cartesia.terminate()
  return "stopped"
end

return cartesia
