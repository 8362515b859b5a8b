-- lua/twin/policy.lua
-- Looks at what a policy's file returned. For the host alone.

local settings = ...

local known_keys = {
  name = "string", version = "number", description = "string",
  settings = "table", admit = "function", meter = "function",
}

local function check(module, name)
  if type(module) ~= "table" then
    error("the file must return a table", 0)
  end
  for key, value in next, module do
    if known_keys[key] == nil then
      error("unknown key " .. tostring(key), 0)
    elseif type(value) ~= known_keys[key] then
      error(key .. ": must be a " .. known_keys[key], 0)
    end
  end
  if module.name ~= nil and module.name ~= name then
    error("name: must be the file's, " .. name, 0)
  elseif module.admit == nil and module.meter == nil then
    error("there is neither admit nor meter", 0)
  end
end

-- Gives admit and meter, each a function or nil, and a reader of tenants' settings.
return function(module, name)
  check(module, name)
  local rules = settings.compile(module.settings)
  return module.admit, module.meter, function(given)
    return settings.read(rules, given)
  end
end
