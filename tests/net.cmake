foreach(unit bytes http1 http_client http_client_failures http_client_stop http_redact server_http
    server_limits server_refusals server_tls server_websocket sse timers utf8 websocket)
  twin_test(net ${unit})
endforeach()
twin_stress(net edge)

# The edge on a simulated wire, which stands in the place of the carrier, timers and listener.
add_library(sim_wire STATIC sim/edge/sim_wire.c)
target_link_libraries(sim_wire PUBLIC net)
twin_sim(sim_wire edge --seeds 5000)
