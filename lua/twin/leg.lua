-- lua/twin/leg.lua
-- The verbs of a leg, as coroutines: what they are called with, and what becomes of their end.
-- For the host alone; `sessions` is what initialize_session gave, by the leg's place in the VM.
--
-- C (native, lua/adapter_host.c) never waits: it notes what has happened. Whoever needs
-- something suspends the coroutine and looks again after each event.

local native, json, sessions = ...

local CUT = { kind = "cut", detail = "stopped by the gateway" }

local known_kinds = {
  retryable = true, rejected = true, out_of_money = true, malformed = true, unknown = true,
  cut = true,
}

-- Suspends until the next event. Raises once when the leg is to stop; whoever catches that may
-- wait on, to take in what is still coming.
local function wait()
  native.suspend()
  if native.take_cut() then
    error(CUT, 0)
  end
end

local function check_count(name, value)
  local is_count = type(value) == "number" and value == math.floor(value) and value >= 0
    and value < 2 ^ 53
  if value ~= nil and not is_count then
    error("usage: " .. name .. " must be a whole number, not negative", 3)
  end
  return value
end

-- usage { tokens = …, media_ms = … }: what was used since the last report. Waits until money for
-- it is held; raises when there is none. After a cut it only counts.
local function report(_, use)
  local tokens = check_count("tokens", use.tokens) or 0
  local media_ms = check_count("media_ms", use.media_ms) or 0
  if native.use(tokens, media_ms) then
    return
  end
  while not native.is_covered() do
    wait()
  end
end

-- usage.final { … }: the leg's totals by the vendor's own figures.
local function report_final(total)
  native.final_use(check_count("tokens", total.tokens) or -1,
    check_count("media_ms", total.media_ms) or -1)
end

local usage = setmetatable({ final = report_final }, { __call = report, __metatable = false })

local function emitter(send)
  return function(data)
    if send(data) then
      return
    end
    while not native.has_room() do
      wait()
    end
  end
end

local emit_text, emit_audio = emitter(native.emit_text), emitter(native.emit_audio)

-- What C is told of a verb that failed: kind, detail, status, retry_after.
local function failure(err)
  if type(err) == "table" and known_kinds[err.kind] then
    if native.is_cut() and err.kind ~= "unknown" then
      return "cut", CUT.detail
    end
    return err.kind, err.detail or "", err.status or 0, err.retry_after or -1
  elseif type(err) == "string" then
    return "bug", err
  end
  return "bug", "the verb gave neither a result nor an error"
end

local verbs = {}

function verbs.initialize(slot, adapter, config, limits)
  local begin = adapter.initialize_session
  if config.reclaim then
    begin = adapter.reclaim_session
    if begin == nil then
      return "rejected", "this adapter's sessions end with their connection"
    end
  end
  local ok, session, err = pcall(begin, config, limits)
  if not ok or session == nil then
    return failure(not ok and session or err)
  elseif type(session) ~= "table" then
    return "bug", "initialize_session must return a table"
  end
  sessions[slot] = session
  local join = session.join ~= nil and json.encode(session.join) or ""
  return nil, "", 0, -1, session.vendor_ref or "", join
end

function verbs.drive(slot, adapter, input)
  input.emit_text, input.emit_audio = emit_text, emit_audio
  local ok, done, err = pcall(adapter.drive_avatar, sessions[slot], input, usage)
  if not ok then
    return failure(done)
  elseif not done then
    return failure(err)
  elseif native.is_cut() then
    return "cut", CUT.detail
  end
end

local stop_states = { stopped = true, requested = true, impossible = true }

function verbs.terminate(slot, adapter, reason)
  local ok, stopped, err = pcall(adapter.terminate, sessions[slot], reason, usage)
  if not ok or stopped == nil then
    return failure(not ok and stopped or err)
  elseif not stop_states[stopped] then
    return "bug", "terminate must return stopped, requested or impossible"
  end
  return nil, "", 0, -1, stopped
end

return verbs, wait, CUT
