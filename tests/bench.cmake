foreach(unit sim_audio sim_bill sim_fault sim_options sim_pace sim_reply)
  twin_test(bench ${unit})
endforeach()

# Node tests with the vendors' own clients. tests/integration/run.mjs fails when they are missing.
add_test(NAME ${build_prefix}integration/vendor_sim
  COMMAND ${TWIN_NODE} ${CMAKE_CURRENT_SOURCE_DIR}/integration/run.mjs vendor_sim)
set_tests_properties(${build_prefix}integration/vendor_sim PROPERTIES LABELS integration TIMEOUT 300
  PROCESSORS ${twin_busy}
  ENVIRONMENT "TWIN_VENDOR_SIM=$<TARGET_FILE:twin-vendor-sim>"
  FAIL_REGULAR_EXPRESSION "LeakSanitizer;ThreadSanitizer")

# Every workload of the micro-benchmark comes to an end and gives its figures.
if(build_prefix STREQUAL "")
  add_test(NAME bench/micro COMMAND twin-bench-micro --rounds 2 --percent 2 --json)
  set_tests_properties(bench/micro PROPERTIES LABELS integration TIMEOUT 60
    PROCESSORS ${twin_busy} PASS_REGULAR_EXPRESSION "^{\"ping_pong\":{\"ns\":[0-9].*\"idle\":{\"cpu_percent\":[0-9.e-]+,.*}}")

  # The others measure the gateway: in small, and only what they print.
  foreach(bench budget cut edge idle fair)
    add_test(NAME bench/${bench}
      COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/bench_shape.py ${bench})
    set_tests_properties(bench/${bench} PROPERTIES LABELS integration TIMEOUT 120
      PROCESSORS ${twin_busy})
  endforeach()
endif()
