# Writes a C file that holds the text of scripts, so that the binary needs none at run time.
#
#   cmake -DOUTPUT=file.c -DROOT=folder -DSCRIPTS=twin/a.lua,vendors/b.lua -P embed.cmake
#
# A script is named by its path without ".lua": "twin/a".
string(REPLACE "," ";" SCRIPTS "${SCRIPTS}")
set(bodies "")
set(rows "")
set(index 0)
foreach(script ${SCRIPTS})
  file(READ ${ROOT}/${script} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)"
    "\\1\n    " bytes "${bytes}")
  string(REGEX REPLACE "\\.lua$" "" name ${script})
  string(APPEND bodies "static const unsigned char script_${index}[] = {\n    ${bytes}\n};\n\n")
  string(APPEND rows
    "    {\"${name}\", (const char *)script_${index}, sizeof(script_${index})},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUTPUT}
  "#include \"lua/script.h\"\n\n${bodies}"
  "const struct tlua_script tlua_scripts[] = {\n${rows}};\n"
  "const size_t tlua_script_count = sizeof(tlua_scripts) / sizeof(tlua_scripts[0]);\n")
