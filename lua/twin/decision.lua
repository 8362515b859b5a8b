-- lua/twin/decision.lua
-- The five answers a policy can give. `facts` is what the policy wants known about its reasons:
-- a small table that is kept with the decision and shown by `policy explain`.
--
-- What they may hold is checked in lua/policy_decision.c, which reads them.

local decision = {}

-- Go on.
function decision.pass(facts)
  return { action = "pass", facts = facts }
end

-- Go on after a wait of so many milliseconds.
function decision.throttle(ms, facts)
  return { action = "throttle", ms = ms, facts = facts }
end

-- Go on in a cheaper mode, which must be below the one asked for.
function decision.downgrade(mode, reason, facts)
  return { action = "downgrade", mode = mode, reason = reason or "policy_downgrade", facts = facts }
end

-- Do not go on. `reason` is a stable token that clients see.
function decision.deny(reason, facts)
  return { action = "deny", reason = reason, facts = facts }
end

-- Go on, and tell the client that the end is near.
function decision.warn(reason, facts)
  return { action = "warn", reason = reason or "policy_warning", facts = facts }
end

return decision
