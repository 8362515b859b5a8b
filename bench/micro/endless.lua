-- bench/micro/endless.lua
-- A policy that never answers: what a tenant's mistake costs the others.
return {
  admit = function()
    while true do end -- luacheck: ignore
  end,
}
