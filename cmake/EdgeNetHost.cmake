# en_host: host/pool.c (shared by native systems and wasm shared memory) and, natively, the threads that work in it.
file(GLOB host_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/host/*.c")
if(EN_WASM AND NOT EN_VARIANT STREQUAL "cli")
  list(REMOVE_ITEM host_sources "${PROJECT_SOURCE_DIR}/host/threads.c") # lanes are made by JavaScript there
endif()
if(host_sources AND NOT EN_BARE)
  add_library(en_host STATIC ${host_sources})
  set_target_properties(en_host PROPERTIES C_EXTENSIONS ON) # futex and clock declarations
  target_link_libraries(en_host PUBLIC en_core PRIVATE en_flags)
  if(NOT EN_WASM)
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads REQUIRED)
    target_link_libraries(en_host PUBLIC Threads::Threads)
  endif()
else()
  add_library(en_host INTERFACE)
  target_link_libraries(en_host INTERFACE en_core)
endif()
