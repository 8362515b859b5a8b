# Real processes and real sockets, driven by Node; one test a file. Under a sanitizer its report is
# the process's exit code, which each test looks at.
set(suites access audit autobahn bad_input bad_policies budget canary cap commands conversation
  descriptors disk_full echo
  hot_path idempotency isolation memory nodes postgres quotas rate refunds refusals resume runtime secrets
  session shared_secrets slow_readers store_away tampered tickets tokens vendor_faults video)
file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/integration/gateway/*.test.mjs)
foreach(file ${files}) # one that is not named here would never run
  get_filename_component(suite ${file} NAME)
  string(REPLACE .test.mjs "" suite ${suite})
  if(NOT suite IN_LIST suites)
    message(FATAL_ERROR "${file} is not run: add ${suite} to the suites of tests/gateway.cmake")
  endif()
endforeach()
if(TWIN_SANITIZE MATCHES thread)
  set(suites budget session vendor_faults) # the ways of threads through all layers
elseif(NOT build_prefix STREQUAL "")
  # A sanitizer must be loaded first, has its own malloc and keeps what was freed; and a minute of
  # video is the same minute.
  list(REMOVE_ITEM suites disk_full hot_path memory slow_readers video)
else()
  foreach(preloaded count_malloc full_disk let_core)
    add_library(${preloaded} SHARED support/${preloaded}.c)
    target_link_libraries(${preloaded} PRIVATE twin_options)
    set_target_properties(${preloaded} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  endforeach()
endif()
foreach(suite ${suites})
  add_test(NAME ${build_prefix}integration/gateway/${suite}
    COMMAND ${TWIN_NODE} ${CMAKE_CURRENT_SOURCE_DIR}/integration/run.mjs gateway ${suite})
  set_tests_properties(${build_prefix}integration/gateway/${suite} PROPERTIES
    LABELS integration TIMEOUT 300 ENVIRONMENT "BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  set(room ${twin_busy})
  if(suite MATCHES "^(audit|cap|commands|nodes|quotas|resume|slow_readers|tokens|video)$")
    set(room ${twin_waits})
  endif()
  set_tests_properties(${build_prefix}integration/gateway/${suite} PROPERTIES PROCESSORS ${room})
endforeach()

# Short crash campaigns, and what they must find: a gateway with bugs in it, which no other target
# depends on. script/crash runs long ones.
if(build_prefix STREQUAL "")
  get_target_property(gateway_libraries twin-gateway LINK_LIBRARIES)
  add_executable(twin-gateway-planted $<TARGET_OBJECTS:twin-gateway> planted/planted.c)
  target_link_libraries(twin-gateway-planted PRIVATE ${gateway_libraries}
    PkgConfig::POSTGRES PkgConfig::SQLITE)
  foreach(broken vito_account_hold vito_handle_budget_grant vito_leg_settle vito_sqlite_begin
      vito_sqlite_commit vito_handle_leg_list_adopted vito_store_recover vito_pg_fate)
    target_link_options(twin-gateway-planted PRIVATE LINKER:--wrap=${broken})
  endforeach()
  set(crash_sqlite --store sqlite --rounds 30 --seed 1)
  set(crash_postgres --store postgres --rounds 30 --seed 1)
  set(crash_controls --planted all)
  foreach(campaign sqlite postgres controls)
    add_test(NAME crash/${campaign} COMMAND ${TWIN_NODE}
      ${CMAKE_CURRENT_SOURCE_DIR}/integration/crash/main.mjs ${crash_${campaign}})
    set_tests_properties(crash/${campaign} PROPERTIES
      LABELS fault TIMEOUT 600 PROCESSORS ${twin_busy} ENVIRONMENT "BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  endforeach()
endif()
