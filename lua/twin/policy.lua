-- lua/twin/policy.lua
-- Looks at what a policy's file returned. For the host alone.

local settings = ...

local known_keys = {
  name = "string", version = "number", description = "string",
  settings = "table", admit = "function", meter = "function",
}

local function check(module, name, problems)
  for key, value in next, module do
    if known_keys[key] == nil then
      problems[#problems + 1] = "unknown key " .. tostring(key)
    elseif type(value) ~= known_keys[key] then
      problems[#problems + 1] = key .. ": must be a " .. known_keys[key]
    end
  end
  if module.name ~= nil and module.name ~= name then
    problems[#problems + 1] = "name: must be the file's, " .. name
  end
  if module.admit == nil and module.meter == nil then
    problems[#problems + 1] = "there is neither admit nor meter"
  end
end

-- Gives admit and meter, each a function or nil, and a reader of tenants' settings; raises every
-- problem in one line.
return function(module, name)
  if type(module) ~= "table" then
    error("the file must return a table", 0)
  end
  local problems = {}
  check(module, name, problems)
  local declared = type(module.settings) == "table" and module.settings or {}
  local rules = settings.compile(declared, problems)
  if #problems > 0 then
    table.sort(problems)
    error(table.concat(problems, "; "), 0)
  end
  return module.admit, module.meter, function(given)
    return settings.read(rules, given)
  end
end
