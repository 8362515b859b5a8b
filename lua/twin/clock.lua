-- lua/twin/clock.lua
-- Time, as the host has it.

local native, wait, CUT = ...

local clock = {
  now_ms = native.wall_ms, -- Unix time in milliseconds
  elapsed_ms = native.boot_ms, -- since some beginning; nobody sets it, and it does not stop
  parse = native.parse_time, -- RFC 3339 to Unix milliseconds, or nil
}

-- Suspends for so long.
function clock.sleep(ms)
  if native.is_cut() then
    error(CUT, 0)
  end
  native.sleep(ms)
  while not native.is_awake() do
    wait()
  end
end

return clock
