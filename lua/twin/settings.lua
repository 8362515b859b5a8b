-- lua/twin/settings.lua
-- The settings that a policy declares, and those of a tenant read by them. For the host alone.
--
--   settings = { cap_hour = { type = "money", min = "0", required = true }, … }
--
-- `min`, `max` and `default` are written as the setting itself is in JSON; an amount may also be
-- money.usd(…). Of texts and lists, `min` and `max` bound the length.

local native = ...

local MS_PER_MINUTE = 60000
local TEXT_BYTES_MAX = 1024
local LIST_ITEMS_MAX = 64

local known_keys = {
  type = true, min = true, max = true, default = true, required = true, values = true, help = true,
}

local function is_whole(value)
  return type(value) == "number" and value == math.floor(value) and math.abs(value) < 2 ^ 53
end

-- What a setting's JSON value is to the policy: that, or nil and what is wrong with it.
local readers = {}

function readers.number(value)
  if type(value) ~= "number" or math.abs(value) == math.huge then
    return nil, "must be a number"
  end
  return value
end

function readers.integer(value)
  if not is_whole(value) then
    return nil, "must be a whole number"
  end
  return value
end

function readers.boolean(value)
  if type(value) ~= "boolean" then
    return nil, "must be true or false"
  end
  return value
end

function readers.string(value)
  if type(value) ~= "string" or #value > TEXT_BYTES_MAX then
    return nil, "must be a text of at most " .. TEXT_BYTES_MAX .. " bytes"
  end
  return value
end

function readers.money(value)
  local amount = type(value) == "string" and native.parse(value) or nil
  if amount == nil then
    return nil, "must be an amount of US dollars as a decimal text"
  end
  return amount
end

function readers.minutes(value)
  if type(value) ~= "number" or value < 0 or not is_whole(math.floor(value * MS_PER_MINUTE)) then
    return nil, "must be a number of minutes, not negative"
  end
  return math.floor(value * MS_PER_MINUTE + 0.5)
end

function readers.enum(value, rule)
  for _, allowed in ipairs(rule.values) do
    if value == allowed then
      return value
    end
  end
  return nil, "must be one of " .. table.concat(rule.values, ", ")
end

function readers.list(value)
  if type(value) ~= "table" or #value > LIST_ITEMS_MAX then
    return nil, "must be a list of at most " .. LIST_ITEMS_MAX .. " texts"
  end
  for key, item in next, value do
    if type(key) ~= "number" or readers.string(item) == nil then
      return nil, "must be a list of texts of at most " .. TEXT_BYTES_MAX .. " bytes"
    end
  end
  return { unpack(value) }
end

-- How numbers in messages look: as they are written in the settings.
local function written(rule, value)
  if rule.type == "money" then
    return native.format(value)
  elseif rule.type == "minutes" then
    return value / MS_PER_MINUTE
  end
  return value
end

local function check_bounds(rule, value)
  local measure, what = value, "must be "
  if rule.type == "string" or rule.type == "list" then
    measure, what = #value, "must have a length of "
  end
  if rule.min ~= nil and measure < rule.min then
    return what .. "at least " .. written(rule, rule.min)
  elseif rule.max ~= nil and measure > rule.max then
    return what .. "at most " .. written(rule, rule.max)
  end
end

local function read_value(rule, value)
  local read, problem = readers[rule.type](value, rule)
  if read == nil then
    return nil, problem
  end
  problem = check_bounds(rule, read)
  if problem ~= nil then
    return nil, problem
  end
  return read
end

-- What follows reads declarations; what is wrong with one goes on the list of problems.

local function complain(problems, where, problem)
  problems[#problems + 1] = "settings." .. where .. ": " .. problem
end

-- A bound as it is compared; for texts and lists a length, for amounts also money.usd(…).
local function read_bound(rule, name, value, problems)
  if value == nil then
    return nil
  end
  local kind = rule.type
  if kind == "string" or kind == "list" or (kind == "money" and type(value) == "number") then
    kind = "integer"
  elseif kind == "boolean" or kind == "enum" then
    complain(problems, rule.name .. "." .. name, "a " .. kind .. " has no bounds")
    return nil
  end
  local read, problem = readers[kind](value)
  if read == nil then
    complain(problems, rule.name .. "." .. name, problem)
  end
  return read
end

local function read_default(rule, value, problems)
  if value == nil then
    return nil
  end
  if rule.type == "money" and is_whole(value) then
    value = native.format(value)
  end
  local read, problem = read_value(rule, value)
  if read == nil then
    complain(problems, rule.name .. ".default", problem)
  end
  return read
end

local function is_list_of_texts(values)
  local is_list = type(values) == "table" and #values > 0
  for _, value in ipairs(is_list and values or {}) do
    is_list = is_list and type(value) == "string"
  end
  return is_list
end

local function check_keys(name, declared, problems)
  for key in next, declared do
    if not known_keys[key] then
      complain(problems, name, "unknown key " .. tostring(key))
    end
  end
end

-- A rule, or nil when the declaration is too broken for one.
local function compile_rule(name, declared, problems)
  if type(name) ~= "string" or type(declared) ~= "table" then
    complain(problems, tostring(name), "must be a name and a table")
    return nil
  end
  check_keys(name, declared, problems)
  if readers[declared.type] == nil then
    complain(problems, name .. ".type",
      "must be boolean, enum, integer, list, minutes, money, number or string")
    return nil
  elseif declared.type == "enum" and not is_list_of_texts(declared.values) then
    complain(problems, name .. ".values", "must be a list of texts")
    return nil
  end
  local rule = { name = name, type = declared.type, values = declared.values,
    required = declared.required == true }
  rule.min = read_bound(rule, "min", declared.min, problems)
  rule.max = read_bound(rule, "max", declared.max, problems)
  rule.default = read_default(rule, declared.default, problems)
  return rule
end

local settings = {}

-- The rules of a declaration, by name. Adds to the list what is wrong with it.
function settings.compile(declared, problems)
  local rules = {}
  for name, rule in next, declared do
    rules[name] = compile_rule(name, rule, problems)
  end
  return rules
end

-- The names of two tables in order, each once.
local function names_of(rules, given)
  local seen, names = {}, {}
  for _, names_in in ipairs { rules, given } do
    for name in next, names_in do
      if not seen[name] then
        names[#names + 1] = tostring(name)
      end
      seen[name] = true
    end
  end
  table.sort(names)
  return names
end

local function read_one(rule, value, values)
  if rule == nil then
    return "there is no such setting"
  elseif value == nil and rule.default == nil and rule.required then
    return "is required"
  elseif value == nil then
    values[rule.name] = rule.default
    return nil
  end
  local read, problem = read_value(rule, value)
  values[rule.name] = read
  return problem
end

-- What a tenant has set, read by the rules: values by name, or nil and every problem in a line.
local function read_all(rules, given)
  local values, problems = {}, {}
  for _, name in ipairs(names_of(rules, given)) do
    local problem = read_one(rules[name], given[name], values)
    if problem ~= nil then
      problems[#problems + 1] = "/settings/" .. name .. ": " .. problem
    end
  end
  if #problems > 0 then
    return nil, table.concat(problems, "; ")
  end
  return values
end

local function refuse()
  error("settings cannot be changed", 2)
end

-- What the policy is handed: reads only, lists as copies, and no unknown names. Most reads find
-- their value in a plain table, at the cost of a table's.
local function view_of(rules, values)
  local plain, lists = {}, {}
  for name, value in next, values do
    (type(value) == "table" and lists or plain)[name] = value
  end
  local function read_other(_, name)
    if lists[name] ~= nil then
      return { unpack(lists[name]) }
    elseif rules[name] == nil then
      error("the policy declares no setting " .. tostring(name), 2)
    end
    return nil
  end
  setmetatable(plain, { __index = read_other })
  return setmetatable({}, { __index = plain, __newindex = refuse, __metatable = false })
end

-- A view of a tenant's settings, or nil and what is wrong with them.
function settings.read(rules, given)
  if given ~= nil and type(given) ~= "table" then
    return nil, "/settings: must be an object"
  end
  local values, problem = read_all(rules, given or {})
  if values == nil then
    return nil, problem
  end
  return view_of(rules, values)
end

return settings
