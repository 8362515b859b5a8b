-- policies/jose_luis_fernandez.lua
-- A consultant: few, long and deep conversations, in business hours, with a month's budget that
-- nobody may pass. From a soft cap on he writes instead of speaking, and a reserve is kept so
-- that a conversation can be brought to its end in text.
--
-- reads    request.mode, .price_max; tenant.limit, .posted, .held, .remaining, .local_time;
--          session.mode, .refused, .seconds_left
-- decides  downgrade "text" for "soft_cap", "text_reserve", "closed", or why more was refused |
--          deny "month_cap", "closed", or why more was refused | warn "quota_low" | pass
-- why      Speech is what costs, and text is cheap: a small reserve brings many conversations to
--          their end. Open holds count as spent, so the caps hold for all of them together.

local decision = require "twin.decision"
local money = require "twin.money"

local SATURDAY, SUNDAY = 6, 0

local function is_open(time, settings)
  if settings.weekdays_only and (time.weekday == SATURDAY or time.weekday == SUNDAY) then
    return false
  end
  return time.hour >= settings.opens_at and time.hour < settings.closes_at
end

-- Why speech costs too much now, or nil.
local function soft_limit(price_max, tenant, settings)
  local spent = tenant.posted + tenant.held
  if spent >= money.per_cent(tenant.limit, settings.soft_cap) then
    return "soft_cap"
  elseif tenant.remaining - price_max < settings.text_reserve then
    return "text_reserve"
  end
  return nil
end

local function admit(request, tenant, settings)
  local committed = tenant.posted + tenant.held + request.price_max
  if settings.month_cap and committed > settings.month_cap then
    return decision.deny("month_cap", { over_by = committed - settings.month_cap })
  end
  local reason
  if settings.business_hours and not is_open(tenant.local_time, settings) then
    if settings.after_hours == "deny" then
      return decision.deny("closed", { opens_at = settings.opens_at })
    end
    reason = "closed"
  end
  reason = reason or soft_limit(request.price_max, tenant, settings)
  if request.mode ~= "text" and reason then
    return decision.downgrade("text", reason, { remaining = tenant.remaining })
  end
  return decision.pass()
end

local function meter(session, tenant, settings)
  if settings.month_cap and tenant.posted + tenant.held > settings.month_cap then
    return decision.deny("month_cap")
  elseif session.mode == "text" and session.refused then
    return decision.deny(session.refused)
  elseif session.mode ~= "text" then
    local reason = session.refused or soft_limit(0, tenant, settings)
    if reason then
      return decision.downgrade("text", reason, { remaining = tenant.remaining })
    end
  end
  if session.seconds_left <= settings.warn_seconds then
    return decision.warn("quota_low", { seconds_left = session.seconds_left })
  end
  return decision.pass()
end

return {
  name = "jose_luis_fernandez",
  version = 1,
  settings = {
    soft_cap = {
      type = "integer", min = 1, max = 100, default = 80,
      help = "per cent of the month's money after which everything is text",
    },
    month_cap = { type = "money", help = "strict cap of a month, below the tenant's hard limit" },
    text_reserve = {
      type = "money", default = "0.50", help = "what is left of the month is for text alone",
    },
    business_hours = {
      type = "boolean", default = false, help = "whether the hours below count",
    },
    opens_at = { type = "integer", min = 0, max = 23, default = 9, help = "local hour" },
    closes_at = { type = "integer", min = 1, max = 24, default = 18, help = "local hour" },
    weekdays_only = { type = "boolean", default = true, help = "closed on Saturday and Sunday" },
    after_hours = {
      type = "enum", values = { "text", "deny" }, default = "text",
      help = "what becomes of those who come when it is closed",
    },
    warn_seconds = {
      type = "integer", min = 0, max = 3600, default = 90,
      help = "clients are warned when what is left lasts no longer than this",
    },
  },
  admit = admit,
  meter = meter,
}
