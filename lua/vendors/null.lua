-- lua/vendors/null.lua
-- Says what it heard, without a vendor: what a turn costs here is the gateway's own work. For
-- benches, and to try policies and prices where nothing may be called.
--
-- source   none: it does no I/O
-- meters   token_unit: one for each four bytes said, at least one
-- stops    at once
-- secrets  none
-- config   none

local provider = require "twin.provider"

local BYTES_PER_TOKEN = 4

local null = provider.streaming_avatar {
  name = "null",
  modes = { "text" },
  base_url = "http://127.0.0.1:9", -- asked of every adapter; nothing is sent
  quantum_tokens = 256,
  prompt = { bytes_per_token = BYTES_PER_TOKEN, tokens_per_message = 1 },
}

function null.initialize_session(_, _)
  return {}
end

function null.drive_avatar(_, input, usage)
  local text = input.text or ""
  usage { tokens = math.max(1, math.ceil(#text / BYTES_PER_TOKEN)) }
  input.emit_text(text)
  return true
end

function null.terminate()
  return "stopped"
end

return null
