-- lua/vendors/tavus.lua
-- Speaks Tavus' conversational video interface as a streaming avatar provider (video). Tavus
-- runs the conversation; the client joins its room by the URL in `join`.
--
-- source   docs.tavus.io (create, get, end conversation; call duration and timeout) and the
--          vendor's OpenAPI of 2026-08-22, read 2026-11
-- meters   minute_unit: the clock, from creation to the end, whether anybody speaks or not. In
--          the end the vendor's own times count: system.shutdown less created_at
-- stops    POST /conversations/{id}/end; max_call_duration behind it
-- secrets  tavus.api_key
-- config   replica_id and persona_id, or by their names of 2026 face_id and pal_id;
--          audio_only, test_mode; names = "new" sends the new names; prices
--
-- Tavus has no idempotency key, and a retried create opens a second billed room. So the room is
-- named by the leg, and one whose creation is uncertain is looked up by that name and ended: among
-- those that are active, for in which order they are listed is not documented.

local clock = require "twin.clock"
local http = require "twin.http"
local provider = require "twin.provider"

local PATH = "/v2/conversations"
local REPLICA_DEFAULT = "rfe12d8b9597" -- a stock replica; a conversation must have some face
local TICK_MS = 5000 -- of the meter; the host keeps the clock in between
local END_SLEEP_MS = 500 -- before what was ended and goes on is ended again
local LOOK_EVERY_MS = 15000 -- whether the vendor has ended the conversation
local CALL_SECONDS_MAX = 3600 -- Tavus' own limit
local CALL_SECONDS_MIN = 5
local URL_BYTES_MAX = 512 -- of a room; clients are told it, and no more fits
local ABSENT_SECONDS = 60 -- nobody has joined
local LEFT_SECONDS = 10 -- everybody has left
local LOOKUP_LIMIT = 50
local ACTIVE_PAGES = 200
local ENDED_PAGES = 20
local RECLAIM_LOOKS = 4
local RECLAIM_SLEEP_MS = 500

-- A host waits half a minute for the beginning and a dozen seconds for the end; both are several
-- calls at worst.
local CREATE_TIMEOUT_MS = 15000
local CALL_TIMEOUT_MS = 3500

local tavus = provider.streaming_avatar {
  name = "tavus",
  modes = { "video" },
  base_url = "https://tavusapi.com",
  metered_by_clock = true,
  price = { minute_usd = "0.37", dated = "2026-11-21" },
  quantum_ms = 5000,
  stop_ms = 3000,
}

-- The language of a conversation is an English word there.
local language_names = {
  en = "english", es = "spanish", fr = "french", de = "german", it = "italian",
  pt = "portuguese", nl = "dutch", pl = "polish", ja = "japanese", zh = "chinese", ko = "korean",
}

local function detail_of(body)
  local text = body.error or body.message
  return type(text) == "string" and text or nil
end

local function mentions(text, words)
  for _, word in ipairs(words) do
    if text:find(word, 1, true) then
      return true
    end
  end
  return false
end

-- How too many conversations, or an empty account, are answered is not documented: the text
-- decides where the status does not.
local function errors(status, body)
  local detail = detail_of(body)
  local text = (detail or ""):lower()
  if status == 401 or status == 403 then
    return "rejected", "access was refused" -- its text may repeat the key
  elseif status == 402 or mentions(text, { "credit", "billing", "out of minutes", "quota" }) then
    return "out_of_money", detail
  elseif mentions(text, { "concurren", "rate limit" }) then
    return "retryable", detail
  end
  return nil, detail
end

local function call(method, path, body)
  return http.request {
    method = method,
    path = path,
    auth = { secret = "tavus.api_key", header = "x-api-key" },
    json = body,
    errors = errors,
    total_ms = body ~= nil and CREATE_TIMEOUT_MS or CALL_TIMEOUT_MS,
    repeatable = body == nil, -- who ends what has ended is told so, and no more
  }
end

-- Ids become parts of paths, so they may have only what needs no escape there (RFC 3986, 2.3).
local ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"

local function is_id(text)
  if type(text) ~= "string" or #text == 0 or #text > 128 then
    return false
  end
  for i = 1, #text do
    if not ID_CHARACTERS:find(text:sub(i, i), 1, true) then
      return false
    end
  end
  return true
end

-- The tables in the list that `body` has under this name.
local function tables_in(body, name)
  local tables = {}
  local list = type(body) == "table" and body[name]
  for _, item in ipairs(type(list) == "table" and list or {}) do
    if type(item) == "table" then
      tables[#tables + 1] = item
    end
  end
  return tables
end

local function seconds_of(limits)
  if limits.media_ms == nil then
    return CALL_SECONDS_MAX
  end
  local seconds = math.floor(limits.media_ms / 1000)
  return math.max(CALL_SECONDS_MIN, math.min(CALL_SECONDS_MAX, seconds))
end

local function conversation_of(config, limits)
  local own, persona = config.provider or {}, config.persona or {}
  local replica, pal = own.replica_id or own.face_id, own.persona_id or own.pal_id
  if replica == nil and pal == nil then
    replica = REPLICA_DEFAULT
  end
  local new_names = own.names == "new"
  return {
    [new_names and "face_id" or "replica_id"] = replica,
    [new_names and "pal_id" or "persona_id"] = pal,
    conversation_name = config.leg_id,
    conversational_context = persona.instructions,
    custom_greeting = persona.greeting,
    audio_only = own.audio_only,
    test_mode = own.test_mode,
    properties = {
      max_call_duration = seconds_of(limits),
      participant_absent_timeout = ABSENT_SECONDS,
      participant_left_timeout = LEFT_SECONDS,
      language = language_names[config.language],
    },
  }
end

-- Ends a conversation: "before" when it had ended, "now", or "unclear" when what answered may be
-- something else than the vendor; or nil and an error.
local function end_conversation(id)
  local answer, err = call("POST", PATH .. "/" .. id .. "/end")
  if answer ~= nil then
    return (answer.text == "" or answer.body ~= nil) and "now" or "unclear"
  elseif err.status == 400 or err.status == 404 then
    return "before"
  end
  return nil, err
end

-- The conversation of that name among those of a status; nil: none of those that are listed; or
-- nil and an error.
local function find_by_name(name, status, pages)
  local query = "?status=" .. status .. "&limit=" .. LOOKUP_LIMIT .. "&page="
  for page = 1, pages do
    local answer, err = call("GET", PATH .. query .. page)
    if answer == nil then
      return nil, err
    elseif type(answer.body) ~= "table" or type(answer.body.data) ~= "table" then
      return nil, provider.error("malformed", "a list without data", answer.status)
    end
    local listed = tables_in(answer.body, "data")
    for _, conversation in ipairs(listed) do
      if conversation.conversation_name == name and is_id(conversation.conversation_id) then
        return conversation
      end
    end
    if #listed < LOOKUP_LIMIT then
      return nil
    end
  end
  return nil
end

-- Ends the room of that name, if a create whose answer says nothing has made one. True: there is
-- none, nor was one made.
local function end_by_name(name)
  local found, err = find_by_name(name, "active", ACTIVE_PAGES)
  if found ~= nil then
    end_conversation(found.conversation_id)
  end
  return found == nil and err == nil
end

-- An answer that does not say whether a room was made.
local function is_uncertain(err)
  return err.kind == "unknown" or err.kind == "malformed" or
    (err.status ~= nil and err.status >= 500)
end

-- What became of an uncertain create: without an answer it may still be on its way.
local function reconcile(name, err)
  local was_answered = err.status ~= nil and err.status > 0
  if end_by_name(name) and was_answered then
    local kind = err.kind == "malformed" and "malformed" or "retryable"
    return provider.error(kind, err.detail, err.status)
  end
  return provider.error("unknown", err.detail, err.status)
end

function tavus.initialize_session(config, limits)
  local asked_at_ms = clock.elapsed_ms()
  local answer, err = call("POST", PATH, conversation_of(config, limits))
  local made = answer ~= nil and answer.body or nil
  if type(made) == "table" and is_id(made.conversation_id) and
    type(made.conversation_url) == "string" and #made.conversation_url <= URL_BYTES_MAX then
    return {
      vendor_ref = made.conversation_id,
      join = { type = "tavus", conversation_url = made.conversation_url },
      created_at = made.created_at,
      metered_until_ms = asked_at_ms,
      looked_at_ms = asked_at_ms,
    }
  end
  if type(made) == "table" and is_id(made.conversation_id) then
    end_conversation(made.conversation_id)
    return nil, provider.error("unknown", "the conversation has no address", answer.status)
  end
  err = err or provider.error("malformed", "the conversation has no id", answer.status)
  if is_uncertain(err) then
    return nil, reconcile(config.leg_id, err)
  end
  return nil, err
end

-- The session that a leg had, by the vendor's own name of it if that was kept. Without, what its
-- gateway had asked for may only just have arrived, so it is looked for more than once; and in the
-- end among those that nobody joined.
local function find_session(config, is_last)
  if config.vendor_ref ~= nil then
    local answer, err = call("GET", PATH .. "/" .. config.vendor_ref)
    if answer == nil then
      return nil, err
    end
    local found = answer.body
    if type(found) ~= "table" then
      return nil, provider.error("malformed", "a conversation that is none", answer.status)
    elseif found.conversation_id == config.vendor_ref and
      found.conversation_name == config.leg_id then
      return found
    end
    return nil, provider.error("rejected", "it is somebody else's conversation", answer.status)
  end
  local found, err = find_by_name(config.leg_id, "active", ACTIVE_PAGES)
  if found == nil and err == nil and is_last then
    return find_by_name(config.leg_id, "ended", ENDED_PAGES)
  end
  return found, err
end

-- The session of a leg whose gateway died.
function tavus.reclaim_session(config)
  local found, err
  for look = 1, RECLAIM_LOOKS do
    found, err = find_session(config, look == RECLAIM_LOOKS)
    if found ~= nil then
      local began_ms = found.created_at and clock.parse(found.created_at) or config.opened_ms
      local began_at_ms = clock.elapsed_ms() - math.max(0, clock.now_ms() - began_ms)
      return {
        vendor_ref = found.conversation_id,
        created_at = found.created_at,
        metered_until_ms = began_at_ms,
        looked_at_ms = began_at_ms,
      }
    end
    if look < RECLAIM_LOOKS then
      clock.sleep(RECLAIM_SLEEP_MS)
    end
  end
  return nil, err or provider.error("rejected", "there is no conversation of that name")
end

-- Reports the time since the last report.
local function meter(session, usage)
  local now_ms = clock.elapsed_ms()
  local elapsed_ms = now_ms - session.metered_until_ms
  session.metered_until_ms = now_ms
  usage { media_ms = elapsed_ms }
end

-- Whether the vendor has ended it: by its duration, or because nobody came or stayed.
local function has_ended(session)
  local answer, err = call("GET", PATH .. "/" .. session.vendor_ref)
  if answer == nil then
    return err.status == 404 or err.status == 400
  end
  return type(answer.body) == "table" and answer.body.status == "ended"
end

local function is_time_to_look(session)
  local now_ms = clock.elapsed_ms()
  if now_ms - session.looked_at_ms < LOOK_EVERY_MS then
    return false
  end
  session.looked_at_ms = now_ms
  return true
end

function tavus.drive_avatar(session, _, usage)
  repeat
    meter(session, usage)
    clock.sleep(TICK_MS)
  until is_time_to_look(session) and has_ended(session)
  meter(session, usage)
  return true
end

-- When it was shut down by the vendor's clock, in the same clock as created_at; or nil.
local function shutdown_ms(conversation)
  for _, event in ipairs(tables_in(conversation, "events")) do
    if event.event_type == "system.shutdown" then
      return clock.parse(event.timestamp)
    end
  end
  return nil
end

-- Reports the vendor's own figure, when it has one. Its status of the conversation, or nil.
local function settle(session, usage)
  local answer = call("GET", PATH .. "/" .. session.vendor_ref .. "?verbose=true")
  local conversation = answer ~= nil and answer.body
  if type(conversation) ~= "table" then
    return nil
  end
  local created_ms = clock.parse(conversation.created_at or session.created_at)
  local ended_ms = shutdown_ms(conversation)
  if created_ms ~= nil and ended_ms ~= nil and ended_ms >= created_ms then
    usage.final { media_ms = ended_ms - created_ms }
  end
  return conversation.status
end

-- Ends it, and looks. True: it may go on all the same.
local function end_and_look(session, usage)
  local ended, err = end_conversation(session.vendor_ref)
  if ended == nil and err.kind ~= "rejected" then
    ended, err = end_conversation(session.vendor_ref)
  end
  meter(session, usage)
  if ended == nil then
    return nil, err
  end
  local status = settle(session, usage)
  return ended ~= "before" and (status == "active" or (status == nil and ended == "unclear"))
end

-- Its status may lag behind its end, so it is ended a second time before that is an error.
function tavus.terminate(session, _, usage)
  local goes_on, err = end_and_look(session, usage)
  if goes_on then
    clock.sleep(END_SLEEP_MS)
    goes_on, err = end_and_look(session, usage)
  end
  if goes_on == false then
    return "stopped"
  end
  return nil, err or provider.error("unknown", "it goes on although its end was acknowledged")
end

return tavus
