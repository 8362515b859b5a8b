-- policies/default.lua
-- Lets everything pass that can be paid for. When a mode's minutes are used up it goes on in the
-- next mode below; when the money is gone it stops.
--
-- reads    request.mode, session.mode, session.refused, session.seconds_left, tenant's minutes
-- decides  pass | downgrade "video_quota", "voice_quota" | warn "quota_low" | deny (why refused)
-- why      Minutes are a limit of one mode, so the conversation can outlive them; money is the
--          limit of all modes, so it cannot.

local decision = require "twin.decision"

local BELOW = { video = "voice", voice = "text" }
local QUOTA_OF = { video = "video_quota", voice = "voice_quota" }

local function minutes_are_left(mode, tenant)
  if mode == "video" then
    return tenant.video_ms < tenant.video_max_ms
  elseif mode == "voice" then
    return tenant.voice_ms < tenant.voice_max_ms
  end
  return true
end

return {
  name = "default",
  version = 1,
  settings = {
    warn_seconds = {
      type = "integer", min = 0, max = 3600, default = 60,
      help = "clients are warned when what is left lasts no longer than this",
    },
  },

  admit = function(request, tenant)
    local mode = request.mode
    while not minutes_are_left(mode, tenant) do
      mode = BELOW[mode]
    end
    if mode ~= request.mode then
      return decision.downgrade(mode, QUOTA_OF[request.mode])
    end
    return decision.pass()
  end,

  meter = function(session, _, settings)
    local refused, below = session.refused, BELOW[session.mode]
    if refused ~= nil and refused == QUOTA_OF[session.mode] then
      return decision.downgrade(below, refused)
    elseif refused ~= nil then
      return decision.deny(refused)
    elseif session.seconds_left <= settings.warn_seconds then
      return decision.warn("quota_low", { seconds_left = session.seconds_left })
    end
    return decision.pass()
  end,
}
