# Tests of lua/ and of the policies. Those of policies share a directory of policy files.
foreach(unit policy_memory policy_settings policy_vm sandbox)
  twin_test(lua ${unit})
  if(TARGET test_${unit})
    target_sources(test_${unit} PRIVATE unit/lua/policy_box.c)
  endif()
endforeach()
