foreach(unit bytes http1 http_client server_http server_limits server_tls server_websocket sse timers utf8 websocket)
  twin_test(net ${unit})
endforeach()
twin_stress(net edge)
