foreach(unit bytes http1 sse utf8 websocket)
  twin_test(net ${unit})
endforeach()
