foreach(unit bytes http1 http_client server_http server_limits server_websocket sse utf8 websocket)
  twin_test(net ${unit})
endforeach()
