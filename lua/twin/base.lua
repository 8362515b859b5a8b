-- lua/twin/base.lua
-- All that a script in the sandbox can reach: this file is the whitelist.
--
-- It runs with Lua's own library; what it returns is the environment of scripts. Nothing there
-- does I/O, loads code, shows an address, depends on chance, or works longer than the VM's
-- budget can notice: what Lua does in C without a bound is left out, or bounded in
-- lua/library.c (native), or written here, where every step counts as an instruction.

local native = ...

local function refuse()
  error("this table is read-only", 2)
end

-- A view of `shared` that scripts can read and not change. Its items are not frozen.
local function freeze(shared)
  return setmetatable({}, { __index = shared, __newindex = refuse, __metatable = false })
end

local function ascending(a, b)
  return a < b
end

-- Merges the sorted runs from[low, middle) and from[middle, high) into to[low, high).
local function merge(from, to, low, middle, high, before)
  local left, right = low, middle
  for at = low, high - 1 do
    if left < middle and (right >= high or not before(from[right], from[left])) then
      to[at] = from[left]
      left = left + 1
    else
      to[at] = from[right]
      right = right + 1
    end
  end
end

-- As table.sort, and stable; Lua's own runs in C, where no budget counts.
local function sort(list, before)
  before = before or ascending
  local count = #list
  local from, to = list, {}
  local width = 1
  while width < count do
    for low = 1, count, 2 * width do
      local middle = math.min(low + width, count + 1)
      merge(from, to, low, middle, math.min(low + 2 * width, count + 1), before)
    end
    from, to = to, from
    width = 2 * width
  end
  if from ~= list then
    for i = 1, count do
      list[i] = from[i]
    end
  end
end

local function key_before(a, b)
  if type(a) ~= type(b) then
    return type(a) < type(b)
  end
  return a < b
end

-- As pairs, in the order of the keys: Lua's own order differs from one VM to the next, and a
-- decision must not.
local function sorted_pairs(table)
  if getmetatable(table) ~= nil then
    error("facts, settings and modules cannot be listed by pairs", 2)
  end
  local keys = {}
  for key in next, table do
    if type(key) ~= "string" and type(key) ~= "number" then
      error("pairs: a key is a " .. type(key), 2)
    end
    keys[#keys + 1] = key
  end
  sort(keys, key_before)
  local at = 0
  return function()
    at = at + 1
    local key = keys[at]
    if key ~= nil then
      return key, table[key]
    end
  end
end

-- As pcall, for errors of the script alone: what stopped the run goes on unwinding it. The hook
-- would see to that too, but it cannot run where the stack has no room left for it.
local function guarded_pcall(...)
  return native.unless_stopped(pcall(...))
end

local function handled(handler, ok, ...)
  if ok then
    return true, ...
  end
  return false, handler(...)
end

-- As xpcall, with the handler called after the error has unwound: inside, no hook would fire.
local function guarded_xpcall(body, handler, ...)
  return handled(handler, guarded_pcall(body, ...))
end

-- As tostring, without addresses, which differ from run to run.
local function show(value)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" or kind == "nil" then
    return tostring(value)
  end
  return kind
end

local modules = {}

local function require(name)
  local module = modules[name]
  if module == nil then
    error("there is no module " .. show(name) .. " here", 2)
  end
  return module
end

local strings = {
  byte = string.byte,
  char = string.char,
  find = native.find,
  format = native.format,
  len = string.len,
  lower = string.lower,
  rep = native.rep,
  reverse = string.reverse,
  sub = string.sub,
  upper = string.upper,
}
getmetatable("").__index = strings

local environment = {
  assert = assert,
  error = error,
  ipairs = ipairs,
  pairs = sorted_pairs,
  pcall = guarded_pcall,
  require = require,
  select = select,
  tonumber = tonumber,
  tostring = show,
  type = type,
  unpack = unpack,
  xpcall = guarded_xpcall,
  math = freeze {
    abs = math.abs,
    ceil = math.ceil,
    floor = math.floor,
    fmod = math.fmod,
    huge = math.huge,
    max = math.max,
    min = math.min,
    modf = math.modf,
    sqrt = math.sqrt,
  },
  string = freeze(strings),
  table = freeze {
    concat = native.concat,
    insert = table.insert,
    remove = table.remove,
    sort = sort,
  },
}

return freeze(environment), modules, freeze
