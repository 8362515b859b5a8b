# Warnings, sanitizers and definitions every target of ours shares.
add_library(twin_options INTERFACE)
target_include_directories(twin_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(twin_options INTERFACE _GNU_SOURCE TWIN_VERSION="${PROJECT_VERSION}")
target_compile_options(twin_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wvla -Wundef -Wcast-align -Wimplicit-fallthrough -fno-omit-frame-pointer)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(twin_options INTERFACE -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
    -fstack-protector-strong)
endif()
if(TWIN_SANITIZE)
  target_compile_options(twin_options INTERFACE -fsanitize=${TWIN_SANITIZE}
    -fno-sanitize-recover=all)
  target_link_options(twin_options INTERFACE -fsanitize=${TWIN_SANITIZE})
  if(TWIN_SANITIZE MATCHES address)
    target_compile_definitions(twin_options INTERFACE RT_ADDRESS_SANITIZER)
  endif()
endif()
