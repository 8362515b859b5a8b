# Tests of lua/ and of the policies.

# Those of policies share a directory of policy files.
foreach(unit lua_config lua_json lua_vm policies policy_fuzz policy_memory policy_settings policy_vm
        sandbox)
  twin_test(lua ${unit})
  if(TARGET test_${unit})
    target_sources(test_${unit} PRIVATE unit/lua/policy_box.c)
    target_compile_definitions(test_${unit} PRIVATE
      POLICY_DIRECTORY="${PROJECT_SOURCE_DIR}/policies")
  endif()
endforeach()

# Those of adapters have a host that plays recorded answers of vendors.
foreach(unit adapter_events adapter_memory adapter_vm cartesia_adapter openai_adapter tavus_adapter)
  twin_test(lua ${unit})
  if(TARGET test_${unit})
    target_sources(test_${unit} PRIVATE unit/lua/fake_host.c unit/lua/policy_box.c)
    target_compile_definitions(test_${unit} PRIVATE
      FIXTURE_DIRECTORY="${CMAKE_CURRENT_LIST_DIR}/unit/lua/fixtures")
  endif()
endforeach()

twin_stress(lua policies)
