foreach(unit account id identity money period policy_config rate_limit secrets time_text zone)
  twin_test(vito ${unit})
endforeach()
if(TARGET test_policy_config)
  target_link_libraries(test_policy_config PRIVATE PkgConfig::CJSON)
  target_compile_definitions(test_policy_config PRIVATE
    TWIN_SCHEMA_DIR="${PROJECT_SOURCE_DIR}/schema")
endif()
