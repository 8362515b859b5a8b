local money = require "twin.money"

local hundred = money.usd(100)
local wednesday_noon = { weekday = 3, hour = 12 }
local wednesday_night = { weekday = 3, hour = 22 }
local saturday_noon = { weekday = 6, hour = 12 }

return {
  {
    name = "video passes while there is money",
    request = { kind = "session", mode = "video", price_max = money.usd("0.40") },
    tenant = { limit = hundred, posted = money.usd(10) },
    expect = { action = "pass" },
  },
  {
    name = "below the soft cap video passes",
    request = { kind = "session", mode = "video" },
    tenant = { limit = hundred, posted = money.usd("79.999999999") },
    expect = { action = "pass" },
  },
  {
    name = "at the soft cap everything is text",
    request = { kind = "session", mode = "video" },
    tenant = { limit = hundred, posted = money.usd(70), held = money.usd(10) },
    expect = {
      action = "downgrade", mode = "text", reason = "soft_cap",
      facts = { remaining = money.usd(20) },
    },
  },
  {
    name = "the soft cap can be set",
    request = { kind = "turn", mode = "voice" },
    tenant = { limit = hundred, posted = money.usd(50) },
    settings = { soft_cap = 50 },
    expect = { action = "downgrade", mode = "text", reason = "soft_cap" },
  },
  {
    name = "text goes on past the soft cap",
    request = { kind = "turn", mode = "text" },
    tenant = { limit = hundred, posted = money.usd(99) },
    expect = { action = "pass" },
  },
  {
    name = "speech may not touch the reserve",
    request = { kind = "turn", mode = "voice", price_max = money.usd("0.51") },
    tenant = { limit = money.usd(1) },
    expect = { action = "downgrade", mode = "text", reason = "text_reserve" },
  },
  {
    name = "speech that leaves the reserve whole passes",
    request = { kind = "turn", mode = "voice", price_max = money.usd("0.50") },
    tenant = { limit = money.usd(1) },
    expect = { action = "pass" },
  },
  {
    name = "the month's cap is strict",
    request = { kind = "turn", mode = "text", price_max = money.usd("0.01") },
    tenant = { limit = hundred, posted = money.usd(50) },
    settings = { month_cap = "50.00" },
    expect = { action = "deny", reason = "month_cap", facts = { over_by = money.usd("0.01") } },
  },
  {
    name = "the month's cap can be reached exactly",
    request = { kind = "turn", mode = "text", price_max = money.usd("0.01") },
    tenant = { limit = hundred, posted = money.usd("49.99") },
    settings = { month_cap = "50.00" },
    expect = { action = "pass" },
  },
  {
    name = "hours do not count unless they are asked for",
    request = { kind = "session", mode = "video" },
    tenant = { local_time = saturday_noon },
    expect = { action = "pass" },
  },
  {
    name = "at night he writes",
    request = { kind = "session", mode = "video" },
    tenant = { local_time = wednesday_night },
    settings = { business_hours = true },
    expect = { action = "downgrade", mode = "text", reason = "closed" },
  },
  {
    name = "on a Saturday he writes",
    request = { kind = "session", mode = "voice" },
    tenant = { local_time = saturday_noon },
    settings = { business_hours = true },
    expect = { action = "downgrade", mode = "text", reason = "closed" },
  },
  {
    name = "at noon he is there",
    request = { kind = "session", mode = "voice" },
    tenant = { local_time = wednesday_noon },
    settings = { business_hours = true },
    expect = { action = "pass" },
  },
  {
    name = "closed can mean closed",
    request = { kind = "session", mode = "text" },
    tenant = { local_time = wednesday_night },
    settings = { business_hours = true, after_hours = "deny" },
    expect = { action = "deny", reason = "closed", facts = { opens_at = 9 } },
  },
  {
    name = "a long conversation goes on",
    session = { mode = "video", elapsed_ms = 3 * 3600000, tokens = 500000 },
    tenant = { limit = hundred, posted = money.usd(60) },
    expect = { action = "pass" },
  },
  {
    name = "running speech becomes text at the soft cap",
    session = { mode = "video" },
    tenant = { limit = hundred, posted = money.usd(81) },
    expect = { action = "downgrade", mode = "text", reason = "soft_cap" },
  },
  {
    name = "running speech becomes text at the reserve",
    session = { mode = "voice" },
    tenant = { limit = hundred, posted = money.usd(30), remaining = money.usd("0.49") },
    expect = { action = "downgrade", mode = "text", reason = "text_reserve" },
  },
  {
    name = "refused speech goes on in text",
    session = { mode = "voice", refused = "monthly_hard_limit" },
    expect = { action = "downgrade", mode = "text", reason = "monthly_hard_limit" },
  },
  {
    name = "refused text is the end",
    session = { mode = "text", refused = "monthly_hard_limit" },
    expect = { action = "deny", reason = "monthly_hard_limit" },
  },
  {
    name = "a running conversation stops at the month's cap",
    session = { mode = "text" },
    tenant = { limit = hundred, posted = money.usd("50.01") },
    settings = { month_cap = "50" },
    expect = { action = "deny", reason = "month_cap" },
  },
  {
    name = "a warning comes before the end",
    session = { mode = "text", seconds_left = 90 },
    expect = { action = "warn", reason = "quota_low", facts = { seconds_left = 90 } },
  },
}
