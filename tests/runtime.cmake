foreach(unit actor flight links log mailbox message metrics poison pool restart run_queue table
    timer_wheel)
  twin_test(runtime ${unit})
endforeach()
foreach(unit message restart)
  if(TARGET test_${unit})
    target_link_options(test_${unit} PRIVATE LINKER:--wrap=rt_pool_take)
  endif()
endforeach()
twin_stress(runtime mailbox)
twin_stress(runtime scheduler)
twin_stress(runtime backpressure)
twin_stress(runtime groups)
twin_stress(runtime pinned)
twin_stress(runtime links)
twin_sim(runtime runtime)
if(NOT TWIN_SANITIZE) # sanitizers have a malloc of their own
  twin_sim(runtime hot_path)
endif()

# The models say the same in every build: once is enough.
if(build_prefix STREQUAL "")
  find_program(TWIN_SPIN spin REQUIRED)
  foreach(model idle mailbox steal)
    add_test(NAME model/${model} COMMAND ${PROJECT_SOURCE_DIR}/script/model ${model})
    set_tests_properties(model/${model} PROPERTIES LABELS model TIMEOUT 900
      PROCESSORS ${twin_busy})
  endforeach()
endif()
