foreach(unit access frames problem refusal_book session_replay session_resume tenant_config
    tenant_fund turn_answer vendor)
  twin_test(actors ${unit})
endforeach()
if(TARGET test_frames)
  target_link_libraries(test_frames PRIVATE PkgConfig::CJSON PkgConfig::MSGPACK PkgConfig::SODIUM)
  target_link_options(test_frames PRIVATE LINKER:--wrap=rt_buffer_copy)
endif()

# The twin's actors in the simulated world, over the embedded store's SQL.
add_library(sim_world STATIC sim/world/sim_books.c sim/world/sim_chaos.c sim/world/sim_clients.c
  sim/world/sim_fleet.c sim/world/sim_life.c sim/world/sim_link.c sim/world/sim_shared.c
  sim/world/sim_memory.c sim/world/sim_operator.c sim/world/sim_policy.c sim/world/sim_run.c sim/world/sim_store.c
  sim/world/sim_vendors.c)
# What actors take memory with goes through sim_memory.c, which fails by the dice.
foreach(taker rt_pool_take rt_buffer_create rt_buffer_copy rt_table_add)
  target_link_options(sim_world INTERFACE LINKER:--wrap=${taker})
endforeach()
target_link_libraries(sim_world PUBLIC actors vito_intake vito_sqlite
  PkgConfig::CJSON PkgConfig::MSGPACK PkgConfig::SODIUM PkgConfig::SQLITE)
set(sim_seeds 1000)
if(TWIN_SANITIZE)
  set(sim_seeds 200) # as long as a thousand without
endif()
twin_sim(sim_world twins --seeds ${sim_seeds}
  --once-failed ${CMAKE_CURRENT_SOURCE_DIR}/sim/seeds.txt)
# A calm and short seed in which one request of the actors for memory fails, in each run another.
if(TARGET sim_twins)
  set(each_request 1)
  if(TWIN_SANITIZE)
    set(each_request 7)
  endif()
  add_test(NAME ${build_prefix}sim/sim_world/memory COMMAND sim_twins --from 5 --seeds 1
    --no-controls --faults "" --each-request ${each_request})
  set_tests_properties(${build_prefix}sim/sim_world/memory PROPERTIES LABELS sim TIMEOUT 300
    PROCESSORS ${twin_busy})
endif()

# The same with several gateways on one store.
if(TARGET sim_twins)
  set(nodes_seeds 300)
  set(nodes_options)
  if(TWIN_SANITIZE)
    set(nodes_seeds 60)
    set(nodes_options --no-controls) # they take minutes
  endif()
  add_test(NAME ${build_prefix}sim/sim_world/nodes COMMAND sim_twins --nodes 3
    --seeds ${nodes_seeds} ${nodes_options}
    --once-failed ${CMAKE_CURRENT_SOURCE_DIR}/sim/seeds_nodes.txt)
  set_tests_properties(${build_prefix}sim/sim_world/nodes PROPERTIES LABELS sim TIMEOUT 300
    PROCESSORS ${twin_busy})
endif()
