foreach(unit sim_audio sim_bill sim_fault sim_options sim_pace sim_reply)
  twin_test(bench ${unit})
endforeach()
