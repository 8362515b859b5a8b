local money = require "twin.money"

return {
  {
    name = "a turn passes",
    request = { kind = "turn", mode = "voice" },
    expect = { action = "pass" },
  },
  {
    name = "a session passes without quotas",
    request = { kind = "session", mode = "video" },
    tenant = { video_ms = 9e9 },
    expect = { action = "pass" },
  },
  {
    name = "video without minutes becomes voice",
    request = { kind = "session", mode = "video" },
    tenant = { video_ms = 60000, video_max_ms = 60000 },
    expect = { action = "downgrade", mode = "voice", reason = "video_quota" },
  },
  {
    name = "video becomes text when neither has minutes",
    request = { kind = "session", mode = "video" },
    tenant = { video_ms = 60000, video_max_ms = 60000, voice_ms = 1, voice_max_ms = 0 },
    expect = { action = "downgrade", mode = "text", reason = "video_quota" },
  },
  {
    name = "voice without minutes becomes text",
    request = { kind = "turn", mode = "voice" },
    tenant = { voice_ms = 60001, voice_max_ms = 60000 },
    expect = { action = "downgrade", mode = "text", reason = "voice_quota" },
  },
  {
    name = "the last millisecond still counts",
    request = { kind = "turn", mode = "voice" },
    tenant = { voice_ms = 59999, voice_max_ms = 60000 },
    expect = { action = "pass" },
  },
  {
    name = "a running leg with money passes",
    session = { mode = "video", seconds_left = 61 },
    expect = { action = "pass" },
  },
  {
    name = "a free leg is not warned",
    session = { mode = "text", seconds_left = math.huge },
    expect = { action = "pass" },
  },
  {
    name = "a warning comes a minute before the end",
    session = { mode = "video", seconds_left = 60 },
    expect = { action = "warn", reason = "quota_low", facts = { seconds_left = 60 } },
  },
  {
    name = "the time of the warning can be set",
    session = { mode = "video", seconds_left = 60 },
    settings = { warn_seconds = 10 },
    expect = { action = "pass" },
  },
  {
    name = "a refused quantum of video goes on by voice",
    session = { mode = "video", refused = "video_quota" },
    expect = { action = "downgrade", mode = "voice", reason = "video_quota" },
  },
  {
    name = "a refused quantum of voice goes on in text",
    session = { mode = "voice", refused = "voice_quota" },
    expect = { action = "downgrade", mode = "text", reason = "voice_quota" },
  },
  {
    name = "no money ends it",
    session = { mode = "video", refused = "monthly_hard_limit", seconds_left = 0 },
    tenant = { limit = money.usd(1), posted = money.usd(1) },
    expect = { action = "deny", reason = "monthly_hard_limit" },
  },
  {
    name = "a store that cannot answer ends it",
    session = { mode = "voice", refused = "store_unavailable" },
    expect = { action = "deny", reason = "store_unavailable" },
  },
  {
    name = "settings that are not declared are an error",
    request = { kind = "turn", mode = "text" },
    settings = { warn_secs = 10 },
    expect = { action = "deny", reason = "policy_failed", facts = { cause = "settings" } },
  },
}
