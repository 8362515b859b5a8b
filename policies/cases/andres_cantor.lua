local money = require "twin.money"

local dollar = money.usd(1)

return {
  {
    name = "a question of a quiet day passes",
    request = { kind = "turn", mode = "voice", text_bytes = 80 },
    expect = { action = "pass" },
  },
  {
    name = "a text bomb is refused",
    request = { kind = "turn", mode = "text", text_bytes = 2001 },
    expect = { action = "deny", reason = "text_too_long", facts = { bytes = 2001 } },
  },
  {
    name = "the longest question allowed passes",
    request = { kind = "turn", mode = "text", text_bytes = 2000 },
    expect = { action = "pass" },
  },
  {
    name = "in a crowd a first question goes at once",
    request = { kind = "turn", mode = "voice", session_turns = 0 },
    tenant = { queued = 30 },
    expect = { action = "pass" },
  },
  {
    name = "in a crowd a talker waits",
    request = { kind = "turn", mode = "voice", session_turns = 2 },
    tenant = { queued = 30 },
    expect = { action = "throttle", ms = 1500, facts = { queued = 30 } },
  },
  {
    name = "the wait can be set",
    request = { kind = "turn", mode = "text", session_turns = 9 },
    tenant = { queued = 30 },
    settings = { crowd_wait_ms = 250 },
    expect = { action = "throttle", ms = 250 },
  },
  {
    name = "just below a crowd nobody waits",
    request = { kind = "turn", mode = "voice", session_turns = 9 },
    tenant = { queued = 24, sessions = 499 },
    expect = { action = "pass" },
  },
  {
    name = "a full queue drops",
    request = { kind = "turn", mode = "text" },
    tenant = { queued = 200 },
    expect = { action = "deny", reason = "queue_full", facts = { queued = 200 } },
  },
  {
    name = "many waiting turns take video away",
    request = { kind = "session", mode = "video" },
    tenant = { queued = 25 },
    expect = { action = "downgrade", mode = "voice", reason = "crowded" },
  },
  {
    name = "many sessions take video away",
    request = { kind = "session", mode = "video" },
    tenant = { sessions = 500 },
    expect = { action = "downgrade", mode = "voice", reason = "crowded" },
  },
  {
    name = "below its share of the month video passes",
    request = { kind = "session", mode = "video" },
    tenant = { limit = dollar, posted = 699999999 },
    expect = { action = "pass" },
  },
  {
    name = "at its share of the month video becomes voice",
    request = { kind = "session", mode = "video" },
    tenant = { limit = dollar, posted = 700000000 },
    expect = { action = "downgrade", mode = "voice", reason = "video_share" },
  },
  {
    name = "open holds count as spent",
    request = { kind = "session", mode = "video" },
    tenant = { limit = dollar, posted = 400000000, held = 300000000 },
    expect = { action = "downgrade", mode = "voice", reason = "video_share" },
  },
  {
    name = "near the end of the money video becomes text in one step",
    request = { kind = "session", mode = "video" },
    tenant = { limit = dollar, posted = 900000000 },
    expect = { action = "downgrade", mode = "text", reason = "video_share" },
  },
  {
    name = "near the end of the money voice becomes text",
    request = { kind = "turn", mode = "voice" },
    tenant = { limit = dollar, posted = 950000000 },
    expect = { action = "downgrade", mode = "text", reason = "voice_share" },
  },
  {
    name = "text goes on to the last cent",
    request = { kind = "turn", mode = "text" },
    tenant = { limit = dollar, posted = 999999999 },
    expect = { action = "pass" },
  },
  {
    name = "without a limit no share is ever reached",
    request = { kind = "session", mode = "video" },
    tenant = { limit = math.huge, posted = 9e15, remaining = math.huge },
    expect = { action = "pass" },
  },
  {
    name = "running video steps down when its share is reached",
    session = { mode = "video" },
    tenant = { limit = dollar, posted = 800000000 },
    expect = { action = "downgrade", mode = "voice", reason = "video_share" },
  },
  {
    name = "a conversation has an end",
    session = { mode = "voice", elapsed_ms = 15 * 60000 },
    expect = { action = "deny", reason = "session_minutes" },
  },
  {
    name = "a refused quantum of minutes steps down",
    session = { mode = "voice", refused = "voice_quota" },
    expect = { action = "downgrade", mode = "text", reason = "voice_quota" },
  },
  {
    name = "refused money ends it",
    session = { mode = "voice", refused = "monthly_hard_limit" },
    expect = { action = "deny", reason = "monthly_hard_limit" },
  },
  {
    name = "a warning comes a minute before the end",
    session = { mode = "voice", seconds_left = 45 },
    expect = { action = "warn", reason = "quota_low", facts = { seconds_left = 45 } },
  },
}
