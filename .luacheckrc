-- What Lua files may name. Scripts of authors know the sandbox's whitelist (lua/twin/base.lua)
-- and nothing else; the library's own scripts know Lua without io, os, debug and the like.
std = "none"
max_line_length = 100
cache = false

local sandbox = {
  "assert", "error", "ipairs", "pairs", "pcall", "require", "select", "tonumber", "tostring",
  "type", "unpack", "xpcall",
  math = { fields = {
    "abs", "ceil", "floor", "fmod", "huge", "max", "min", "modf", "sqrt",
  } },
  string = { fields = {
    "byte", "char", "find", "format", "len", "lower", "rep", "reverse", "sub", "upper",
  } },
  table = { fields = { "concat", "insert", "remove", "sort" } },
}

stds.sandbox = { read_globals = sandbox }
stds.library = {
  read_globals = { "getmetatable", "next", "setmetatable" },
}

files["policies"] = { std = "sandbox" }
files["lua/vendors"] = { std = "sandbox" }
files["lua/contexts"] = { std = "sandbox" }
files["lua/twin"] = { std = "sandbox+library" }
files["lua/twin.meta.lua"] = { ignore = { "111", "21.", "241", "631" } } -- declarations
