-- lua/twin/provider.lua
-- What an adapter is made of: its data sheet, and errors of a few kinds.

local native, CUT = ...

local provider = {}

local sheet_types = {
  name = "string", modes = "table", base_url = "string", metered_by_clock = "boolean",
  price = "table", quantum_ms = "number", stop_ms = "number", quantum_tokens = "number",
  prompt = "table", audio_format = "string",
}
local price_types = { token_1k_usd = "string", minute_usd = "string", dated = "string" }
local prompt_types = { bytes_per_token = "number", tokens_per_message = "number" }

local function check(where, given, types)
  for key, value in next, given do
    if types[key] == nil then
      error(where .. "." .. tostring(key) .. ": there is no such field", 0)
    elseif type(value) ~= types[key] then
      error(where .. "." .. key .. ": must be a " .. types[key], 0)
    elseif types[key] == "number" and (value < 0 or value ~= math.floor(value)) then
      error(where .. "." .. key .. ": must be a whole number", 0)
    end
  end
end

local function price_of(price, name)
  if price[name] == nil then
    return -1
  end
  local amount = native.parse_usd(price[name])
  if amount == nil then
    error("sheet.price." .. name .. ": must be US dollars as a decimal text", 0)
  end
  return amount
end

-- A streaming avatar provider with this data sheet; its file adds initialize_session,
-- drive_avatar and terminate.
function provider.streaming_avatar(sheet)
  check("sheet", sheet, sheet_types)
  local price, prompt = sheet.price or {}, sheet.prompt or {}
  check("sheet.price", price, price_types)
  check("sheet.prompt", prompt, prompt_types)
  local modes = {}
  for _, mode in ipairs(sheet.modes or {}) do
    modes[mode] = true
  end
  return {
    sheet = {
      name = sheet.name or "",
      base_url = sheet.base_url or "",
      audio_format = sheet.audio_format or "",
      text = modes.text == true,
      voice = modes.voice == true,
      video = modes.video == true,
      metered_by_clock = sheet.metered_by_clock == true,
      price_token_1k = price_of(price, "token_1k_usd"),
      price_minute = price_of(price, "minute_usd"),
      quantum_ms = sheet.quantum_ms or 5000,
      stop_ms = sheet.stop_ms or 0,
      quantum_tokens = sheet.quantum_tokens or 0,
      prompt_bytes_per_token = prompt.bytes_per_token or 0,
      prompt_tokens_fixed = prompt.tokens_per_message or 0,
    },
  }
end

-- An error for `return nil, provider.error(…)`. Kinds: retryable, rejected, out_of_money,
-- malformed, unknown. `detail` is one line for the log.
function provider.error(kind, detail, status, retry_after)
  return { kind = kind, detail = detail, status = status, retry_after = retry_after }
end

-- Whether a caught error is the host's wish that the leg stops.
function provider.is_cut(err)
  return err == CUT
end

-- Runs `play`, which reads `stream` to its end. When it is cut the vendor is asked to stop, and
-- `play` goes on with what was already sent: what is metered is what was sent. Then the cut goes
-- its way.
function provider.through_cut(stream, play)
  local ok, err = pcall(play)
  if ok then
    return
  elseif err == CUT then
    stream:stop()
    play()
  end
  error(err, 0)
end

return provider
