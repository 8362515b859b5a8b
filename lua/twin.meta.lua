---@meta twin

-- lua/twin.meta.lua
-- What scripts can reach, for editors that speak LuaLS. Nothing here runs.
--
-- Part 1 is for policies (docs/policies.md), part 2 for adapters (docs/adapters.md). Both see Lua's
-- own functions by a whitelist (lua/twin/base.lua):
--
--   assert error ipairs pairs pcall require select tonumber tostring type unpack xpcall
--   math     abs ceil floor fmod huge max min modf sqrt
--   string   byte char find format len lower rep reverse sub upper
--   table    concat insert remove sort
--
-- with these differences: pairs goes in the order of the keys, and lists no facts, settings or
-- modules; tostring and string.format show no addresses; string.find knows no patterns; sort is
-- stable; what a text or a list would grow to is bounded; xpcall calls its handler after the
-- error has unwound; globals cannot be set.

--- The modules: twin.decision and twin.money for policies; all but twin.decision for adapters.
---@overload fun(name: "twin.decision"): twin.decision
---@overload fun(name: "twin.money"): twin.money
---@overload fun(name: "twin.provider"): twin.provider
---@overload fun(name: "twin.http"): twin.http
---@overload fun(name: "twin.clock"): twin.clock
---@overload fun(name: "twin.json"): twin.json
---@overload fun(name: "twin.base64"): twin.base64
---@overload fun(name: "twin.sse"): twin.sse
---@param name string
---@return table
function require(name) end

-- Policies.

---@class twin.Policy
---@field name? string the file's name without ".lua"
---@field version? number for people; the version that counts is the hash of the text
---@field description? string
---@field settings? table<string, twin.Setting> what a tenant can set
---@field admit? fun(request: twin.Request, tenant: twin.Tenant, settings: table): twin.Decision, table?
---@field meter? fun(session: twin.Session, tenant: twin.Tenant, settings: table): twin.Decision, table?

---@alias twin.Mode "text" | "voice" | "video"

--- A setting. `min`, `max` and `default` are written as the setting is in JSON; an amount may
--- also be money.usd(…). Of texts and lists, `min` and `max` bound the length.
---
--- | type    | in JSON                | in the policy            |
--- |---------|------------------------|--------------------------|
--- | number  | number                 | number                   |
--- | integer | whole number           | number                   |
--- | string  | text                   | string                   |
--- | boolean | true, false            | boolean                  |
--- | money   | "1.25", US dollars     | nano-dollars             |
--- | minutes | number of minutes      | milliseconds             |
--- | enum    | one of `values`        | string                   |
--- | list    | list of texts          | a fresh list each time   |
---@class twin.Setting
---@field type "number" | "integer" | "string" | "boolean" | "money" | "minutes" | "enum" | "list"
---@field min? number | string
---@field max? number | string
---@field default? any
---@field required? boolean
---@field values? string[] of an enum
---@field help? string

-- Read-only, and only while the question is asked. Amounts are whole nano-dollars; times are
-- milliseconds; what is unlimited is math.huge.

--- Somebody opens a session, or sends a turn.
---@class twin.Request
---@field kind "session" | "turn"
---@field mode twin.Mode asked for
---@field price_max number what the next step can cost at most
---@field text_bytes number of the turn
---@field user string the end user's name, or ""
---@field session_ms number since the session began
---@field session_spent number spent and held by the session
---@field session_tokens number
---@field session_turns number

--- A leg that runs and asks for its next quantum, or was refused it.
---@class twin.Session
---@field mode twin.Mode running
---@field price_max number what is held for it
---@field user string
---@field elapsed_ms number since the session began
---@field spent number spent and held by the session
---@field tokens number
---@field turns number
---@field refused string? why it gets no more: "monthly_hard_limit", "video_quota" …
---@field seconds_left number at the present rate

--- The tenant, this month.
---@class twin.Tenant
---@field id string
---@field limit number
---@field posted number spent
---@field held number in open holds
---@field remaining number what could still be spent when every hold is used up
---@field voice_ms number
---@field voice_max_ms number
---@field video_ms number
---@field video_max_ms number
---@field tokens number
---@field interactions number
---@field sessions number open now
---@field queued number turns waiting in the bucket
---@field rate_per_second number
---@field now_ms number Unix time
---@field local_time twin.LocalTime in the tenant's zone; a fresh table each time
---@field period_start_ms number
---@field period_end_ms number
---@field memory table what was returned last beside a decision; a fresh table each time

---@class twin.LocalTime
---@field year integer
---@field month integer from 1
---@field day integer from 1
---@field hour integer
---@field minute integer
---@field second integer
---@field weekday integer 0 is Sunday
---@field offset_s integer east of UTC

--- Made by twin.decision. A second value beside it is the tenant's new memory: a table of texts,
--- numbers, booleans and tables, at most 4 KiB as MessagePack. Without one it stays as it is.
---@class twin.Decision
---@field action "pass" | "throttle" | "downgrade" | "deny" | "warn"

---@class twin.decision
local decision = {}

--- Go on.
---@param facts? table<string, any> what the policy wants known; at most 511 bytes as JSON
---@return twin.Decision
function decision.pass(facts) end

--- Go on after a wait.
---@param ms number 0 to 600,000
---@param facts? table<string, any>
---@return twin.Decision
function decision.throttle(ms, facts) end

--- Go on in a cheaper mode. A mode that is not below the present one changes nothing: a pass.
---@param mode twin.Mode
---@param reason? string a token of a-z, 0-9 and _, at most 31; "policy_downgrade" by default
---@param facts? table<string, any>
---@return twin.Decision
function decision.downgrade(mode, reason, facts) end

--- Do not go on.
---@param reason string a token that clients see
---@param facts? table<string, any>
---@return twin.Decision
function decision.deny(reason, facts) end

--- Go on, and warn the client: once, and again when half of the time that was left has gone.
---@param reason? string "policy_warning" by default
---@param facts? table<string, any>
---@return twin.Decision
function decision.warn(reason, facts) end

---@class twin.money
local money = {}

--- An amount in nano-dollars. Raises when it is none.
---@param dollars string | integer "1.25" with at most nine places, or whole dollars
---@return number
function money.usd(dollars) end

--- "1.250000000"; "unlimited" for math.huge.
---@param amount number
---@return string
function money.format(amount) end

--- That share of an amount, rounded down.
---@param amount number
---@param share integer per cent
---@return number
function money.per_cent(amount, share) end

-- Adapters.

--- Made by provider.streaming_avatar; the file adds the three verbs. A verb runs as a coroutine:
--- where it does I/O, sleeps or waits for money it is suspended, and others go on.
---@class twin.StreamingAvatar
---@field sheet table
---@field initialize_session fun(config: twin.AvatarConfig, limits: twin.RuntimeLimits): twin.AvatarSession?, twin.Error?
---@field drive_avatar fun(session: twin.AvatarSession, input: twin.StreamInput, usage: twin.Usage): boolean?, twin.Error?
---@field terminate fun(session: twin.AvatarSession, reason: "COST_LIMIT" | "USER_EXIT", usage: twin.Usage): twin.Stopped?, twin.Error?
---@field reclaim_session? fun(config: twin.AvatarConfig): twin.AvatarSession?, twin.Error? where sessions outlive the gateway's connection: finds that of config.vendor_ref, or without of config.leg_id, again after a crash, to be terminated; makes nothing

---@alias twin.Stopped "stopped" | "requested" | "impossible"

---@class twin.AvatarConfig
---@field leg_id string unique; goes out as X-Request-Id with every request
---@field vendor_ref? string reclaim_session only: the session's vendor_ref, if it was kept
---@field tenant_id string
---@field language string "es"
---@field provider table the tenant's provider_config of this provider
---@field persona table instructions?, language?, greeting?

--- What the leg can pay for; a field that is left out is unlimited.
---@class twin.RuntimeLimits
---@field media_ms? number
---@field tokens? number

--- The adapter's own, kept from verb to verb.
---@class twin.AvatarSession
---@field vendor_ref? string the vendor's name of it, at most 255 visible ASCII characters
---@field join? table what the client needs to join, at most 4095 bytes as JSON

---@class twin.StreamInput
---@field text? string to be said or answered
---@field messages? userdata of a chat: the conversation up to and with `text`, as JSON that is
---  ready to be sent: put it into a body as it is; json.decode() opens it
---@field tokens_max? number of a chat
---@field prompt_bytes? number of a chat: what its messages say, all together
---@field prompt_messages? number of a chat: how many they are
---@field emit_text fun(delta: string) to the client; waits when it is slow
---@field emit_audio fun(bytes: string) likewise

--- usage { tokens = …, media_ms = … } reports what was used since the last report. It waits until
--- money for that is held, and raises the cut when there is none. After a cut it only counts.
---@class twin.Usage
---@field final fun(total: { tokens?: integer, media_ms?: integer }) the vendor's own figures
---@overload fun(use: { tokens?: integer, media_ms?: integer })

--- Why a verb failed: `return nil, err`.
---@class twin.Error
---@field kind "retryable" | "rejected" | "out_of_money" | "malformed" | "unknown" | "cut"
---@field detail? string one line for the log, without secrets
---@field status? integer the vendor's HTTP status
---@field retry_after? integer seconds

---@class twin.Sheet
---@field name string the file's name
---@field modes twin.Mode[]
---@field base_url string the public one; operators can set another
---@field metered_by_clock? boolean it costs from creation to the end, whatever is driven
---@field price? { token_1k_usd?: string, minute_usd?: string, dated?: string } the list price
---@field quantum_ms? integer media to hold at a time; 5000 by default
---@field stop_ms? integer media that may still come after we say stop
---@field quantum_tokens? integer output tokens to hold at a time
---@field prompt? { bytes_per_token?: integer, tokens_per_message?: integer } for estimates
---@field audio_format? string "pcm_s16le;rate=24000;channels=1"

---@class twin.provider
local provider = {}

---@param sheet twin.Sheet
---@return twin.StreamingAvatar
function provider.streaming_avatar(sheet) end

---@param kind string
---@param detail? string
---@param status? integer
---@param retry_after? integer seconds
---@return twin.Error
function provider.error(kind, detail, status, retry_after) end

--- Whether a caught error is the host's wish that the leg stops. Pass it on: error(err, 0).
---@param err any
---@return boolean
function provider.is_cut(err) end

--- Runs `play`, which reads `stream` to its end. When it is cut, the vendor is asked to stop and
--- `play` is called again for what was already sent; then the cut goes its way.
---@param stream twin.Stream
---@param play fun()
function provider.through_cut(stream, play) end

---@class twin.HttpRequest
---@field method? string "GET", or "POST" with a body
---@field path string begins with "/"; appended to the base URL
---@field headers? table<string, string>
---@field json? any the body, as JSON
---@field body? string the body as it is
---@field auth? { secret: string, header: string, prefix?: string } the host puts the value in
---@field errors? fun(status: integer, body: table, text: string): string?, string? kind and detail
---@field total_ms? integer 15,000 for requests, 600,000 for streams
---@field idle_ms? integer longest silence; 30,000 by default
---@field repeatable? boolean twice is as once: may be sent again when its connection dies

---@class twin.HttpAnswer
---@field status integer 200 to 299
---@field body any when the text is JSON
---@field text string

---@class twin.http
local http = {}

--- One request and its whole answer. An answer that is no success is an error.
---@param request twin.HttpRequest
---@return twin.HttpAnswer?, twin.Error?
function http.request(request) end

--- An answer that is read while it comes.
---@param request twin.HttpRequest
---@return twin.Stream?, twin.Error?
function http.stream(request) end

---@class twin.Stream
---@field status integer
local stream = {}

--- The next bytes, or nil at the end.
---@return string?
function stream:read() end

--- for bytes in stream:chunks() do
---@return fun(): string?
function stream:chunks() end

--- for data, name in stream:events() do: server-sent events.
---@return fun(): string?, string?
function stream:events() end

--- True when the whole answer came, or all that came before stop().
---@return boolean?, twin.Error?
function stream:finish() end

--- Asks the vendor for no more; what it has sent still comes.
function stream:stop() end

--- Drops it. What a verb leaves open is dropped at its end.
function stream:close() end

---@class twin.clock
local clock = {}

--- Unix time in milliseconds. Somebody may set it; to measure by, there is `elapsed_ms`.
---@return number
function clock.now_ms() end

--- Milliseconds since some beginning, those included in which the machine slept: what costs by the
--- clock costs on meanwhile.
---@return number
function clock.elapsed_ms() end

--- RFC 3339 to Unix milliseconds.
---@param text any
---@return number?
function clock.parse(text) end

--- Suspends for so long. Raises at once after a cut.
---@param ms number at most an hour
function clock.sleep(ms) end

---@class twin.json
---@field null lightuserdata JSON's null in arrays; in objects null is left out
local json = {}

---@param text string
---@return any? nil when it is not JSON
function json.decode(text) end

--- Members are in the order of their names; an empty table is an object.
---@param value any
---@return string
function json.encode(value) end

---@class twin.base64
local base64 = {}

---@param text string padded, without line breaks
---@return string? bytes
function base64.decode(text) end

---@param bytes string
---@return string
function base64.encode(bytes) end

---@class twin.sse
local sse = {}

---@param event_bytes_max integer
---@return twin.SseParser
function sse.parser(event_bytes_max) end

---@class twin.SseParser
local parser = {}

--- False when an event is too long; the parser is of no use from there.
---@param bytes string
---@return boolean
function parser:feed(bytes) end

--- The data and the name of the next whole event, or nil.
---@return string?, string?
function parser:next() end
