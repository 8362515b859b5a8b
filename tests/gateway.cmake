# Real processes and real sockets, driven by Node; one test a file. Under a sanitizer its report is
# the process's exit code, which each test looks at.
set(suites access autobahn bad_input bad_policies budget cap commands echo hot_path isolation memory
  nodes postgres rate runtime secrets session shared_secrets slow_readers
  tickets tokens vendor_faults video)
list(APPEND suites audit refunds)
if(TWIN_SANITIZE MATCHES thread)
  set(suites budget session vendor_faults) # the ways of threads through all layers
elseif(NOT build_prefix STREQUAL "")
  # A sanitizer has its own malloc and keeps what was freed, and a minute of video is the same minute.
  list(REMOVE_ITEM suites hot_path memory slow_readers video)
else()
  add_library(count_malloc SHARED support/count_malloc.c)
  target_link_libraries(count_malloc PRIVATE twin_options)
  set_target_properties(count_malloc PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
endif()
foreach(suite ${suites})
  add_test(NAME ${build_prefix}integration/gateway/${suite}
    COMMAND ${TWIN_NODE} ${CMAKE_CURRENT_SOURCE_DIR}/integration/run.mjs gateway ${suite})
  set_tests_properties(${build_prefix}integration/gateway/${suite} PROPERTIES
    LABELS integration TIMEOUT 300 ENVIRONMENT "BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
endforeach()

# A short crash campaign; script/crash runs long ones, and on PostgreSQL.
if(build_prefix STREQUAL "")
  add_test(NAME crash/sqlite COMMAND ${TWIN_NODE}
    ${CMAKE_CURRENT_SOURCE_DIR}/integration/crash/campaign.mjs --rounds 8 --seconds 45 --seed 1)
  set_tests_properties(crash/sqlite PROPERTIES
    LABELS fault TIMEOUT 180 ENVIRONMENT "BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
endif()
