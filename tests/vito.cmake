foreach(unit account audit_chain audit_verify hearing id identity json jwks jwt login_limit money period policy_config
    rate_limit rate_line
    rate_people rate_promises rate_window
    postgres secrets sqlite sqlite_file store intake ticket time_text zone)
  twin_test(vito ${unit})
endforeach()
if(TARGET test_intake)
  target_link_libraries(test_intake PRIVATE vito_intake)
  target_link_libraries(test_hearing PRIVATE vito_intake)
endif()
if(TARGET test_policy_config)
  target_link_libraries(test_policy_config PRIVATE PkgConfig::CJSON)
  target_link_libraries(test_json PRIVATE PkgConfig::CJSON)
  target_compile_definitions(test_policy_config PRIVATE
    TWIN_SCHEMA_DIR="${PROJECT_SOURCE_DIR}/schema")

  foreach(cases batches kit legs lives months records tenants tickets trail turns vault)
    list(APPEND store_suite unit/vito/store_suite_${cases}.c)
  endforeach()
  # Cases for any store, put to the embedded one,
  target_sources(test_sqlite PRIVATE ${store_suite})
  target_link_libraries(test_sqlite PRIVATE vito_sqlite PkgConfig::SQLITE)

  target_link_libraries(test_sqlite_file PRIVATE vito_sqlite PkgConfig::SQLITE)

  # The same to the shared one, on a server of the test's own.
  target_sources(test_postgres PRIVATE ${store_suite}
    support/cluster.c)
  target_link_libraries(test_postgres PRIVATE vito_postgres PkgConfig::POSTGRES)
endif()

foreach(unit vault vault_blob vault_keys)
  twin_test(vito ${unit})
  if(TARGET test_${unit})
    target_link_libraries(test_${unit} PRIVATE vito_sqlite PkgConfig::SQLITE PkgConfig::SODIUM)
  endif()
endforeach()

if(TARGET test_jwt)
  foreach(unit jwks jwt)
    target_sources(test_${unit} PRIVATE unit/vito/jwt_maker.c)
    target_link_libraries(test_${unit} PRIVATE PkgConfig::OPENSSL)
  endforeach()
endif()

foreach(unit store store_kill)
  twin_stress(vito ${unit})
  target_link_libraries(stress_${unit} PRIVATE vito_sqlite PkgConfig::SQLITE)
endforeach()

twin_stress(vito postgres)
target_sources(stress_postgres PRIVATE support/cluster.c support/proxy.c)
target_link_libraries(stress_postgres PRIVATE vito_postgres PkgConfig::POSTGRES)
