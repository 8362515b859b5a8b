# Tests of lua/ and of the policies. Those of policies share a directory of policy files.
foreach(unit lua_config policies policy_memory policy_settings policy_vm sandbox)
  twin_test(lua ${unit})
  if(TARGET test_${unit})
    target_sources(test_${unit} PRIVATE unit/lua/policy_box.c)
    target_compile_definitions(test_${unit} PRIVATE
      POLICY_DIRECTORY="${PROJECT_SOURCE_DIR}/policies")
  endif()
endforeach()
