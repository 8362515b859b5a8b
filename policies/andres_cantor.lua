-- policies/andres_cantor.lua
-- A sports personality on a match day: very many short conversations at once, and a goal
-- multiplies them within a second. Everybody gets a first answer; those who go on talking in a
-- crowd wait; what cannot be served in time is dropped at once and not late.
--
-- reads    request.mode, .text_bytes, .price_max, .session_turns; tenant.queued, .sessions, .limit,
--          .posted, .held; session.mode, .refused, .elapsed_ms, .seconds_left
-- decides  deny "text_too_long", "queue_full", "session_minutes" | throttle |
--          downgrade "video_share", "voice_share", "crowded" | warn "quota_low" | pass
-- why      Video costs many times what voice costs, so it goes first, both when the month's
--          money runs low and when everybody comes at once. Open holds count as spent, so that
--          a crowd cannot pass a threshold together.

local decision = require "twin.decision"
local money = require "twin.money"

local BELOW = { video = "voice", voice = "text" }
local SHARE_OF = { video = "video_share", voice = "voice_share" }

-- The mode that the month's money still allows, and why it is not the one asked for.
local function affordable(mode, tenant, settings)
  local reason
  local spent = tenant.posted + tenant.held
  while SHARE_OF[mode] and spent >= money.per_cent(tenant.limit, settings[SHARE_OF[mode]]) do
    reason = reason or SHARE_OF[mode]
    mode = BELOW[mode]
  end
  return mode, reason
end

local function is_crowded(tenant, settings)
  return tenant.queued >= settings.crowd_queued or tenant.sessions >= settings.crowd_sessions
end

local function admit(request, tenant, settings)
  if request.text_bytes > settings.text_bytes_max then
    return decision.deny("text_too_long", { bytes = request.text_bytes })
  elseif tenant.queued >= settings.queue_max then
    return decision.deny("queue_full", { queued = tenant.queued })
  end
  local mode, reason = affordable(request.mode, tenant, settings)
  local crowded = is_crowded(tenant, settings)
  if mode == "video" and crowded then
    mode, reason = "voice", "crowded"
  end
  if mode ~= request.mode then
    return decision.downgrade(mode, reason, { queued = tenant.queued, sessions = tenant.sessions })
  elseif crowded and request.session_turns >= settings.turns_free then
    return decision.throttle(settings.crowd_wait_ms, { queued = tenant.queued })
  end
  return decision.pass()
end

local function meter(session, tenant, settings)
  local refused = session.refused
  if session.elapsed_ms >= settings.session_max then
    return decision.deny("session_minutes")
  elseif refused == "video_quota" or refused == "voice_quota" then
    return decision.downgrade(BELOW[session.mode] or "text", refused)
  elseif refused ~= nil then
    return decision.deny(refused)
  end
  local mode, reason = affordable(session.mode, tenant, settings)
  if mode ~= session.mode then
    return decision.downgrade(mode, reason)
  elseif session.seconds_left <= settings.warn_seconds then
    return decision.warn("quota_low", { seconds_left = session.seconds_left })
  end
  return decision.pass()
end

return {
  name = "andres_cantor",
  version = 1,
  settings = {
    video_share = {
      type = "integer", min = 0, max = 100, default = 70,
      help = "per cent of the month's money after which video becomes voice",
    },
    voice_share = {
      type = "integer", min = 0, max = 100, default = 90,
      help = "per cent of the month's money after which voice becomes text",
    },
    crowd_queued = {
      type = "integer", min = 1, default = 25, help = "so many waiting turns are a crowd",
    },
    crowd_sessions = {
      type = "integer", min = 1, default = 500, help = "so many open sessions are a crowd",
    },
    crowd_wait_ms = {
      type = "integer", min = 0, max = 30000, default = 1500,
      help = "in a crowd, what a turn waits whose session has had its free ones",
    },
    turns_free = {
      type = "integer", min = 0, default = 2, help = "turns of a session that do not wait",
    },
    queue_max = {
      type = "integer", min = 1, default = 200,
      help = "with so many turns waiting, more are dropped",
    },
    text_bytes_max = {
      type = "integer", min = 1, default = 2000, help = "longer questions are refused",
    },
    session_max = {
      type = "minutes", min = 1, default = 15, help = "longest conversation",
    },
    warn_seconds = {
      type = "integer", min = 0, max = 3600, default = 60,
      help = "clients are warned when what is left lasts no longer than this",
    },
  },
  admit = admit,
  meter = meter,
}
