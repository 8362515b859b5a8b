# Writes a C file that holds the migrations, so that the program needs no files for them.
#
#   cmake -DOUTPUT=file.c -DROOT=folder -DMIGRATIONS=0001_core,0002_more -DSTORE=sqlite
#     -P embed.cmake
string(REPLACE "," ";" MIGRATIONS "${MIGRATIONS}")
set(bodies "")
set(rows "")
foreach(migration ${MIGRATIONS})
  file(READ ${ROOT}/${migration}.sql hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND bodies "static const unsigned char sql_${migration}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${migration}\", (const char *)sql_${migration}},\n")
endforeach()
list(LENGTH MIGRATIONS count)
file(WRITE ${OUTPUT}
  "#include \"vito/store/migrations.h\"\n\n${bodies}\n"
  "const struct vito_migration vito_${STORE}_migrations[] = {\n${rows}};\n"
  "const int vito_${STORE}_migration_count = ${count};\n")
