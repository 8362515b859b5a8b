foreach(unit id money period time_text zone)
  twin_test(vito ${unit})
endforeach()
