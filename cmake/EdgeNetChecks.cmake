# Checks on the sources and libraries themselves; they run wherever CTest does.
if(NOT BUILD_TESTING OR EN_WASM)
  return()
endif()

# Sources include downwards only. The folders are listed bottom-up, so what lies below a folder's own uses is known already.
set(uses "")
foreach(folder base quant kernels layers format arch model infer text train)
  set(below_${folder} ${EN_USES_${folder}})
  foreach(next IN LISTS EN_USES_${folder})
    list(APPEND below_${folder} ${below_${next}})
  endforeach()
  list(REMOVE_DUPLICATES below_${folder})
  list(JOIN below_${folder} "," below)
  list(APPEND uses "${folder}=${below}")
endforeach()
list(JOIN uses ":" uses)
add_test(NAME includes COMMAND ${CMAKE_COMMAND} "-DROOT=${PROJECT_SOURCE_DIR}" "-DUSES=${uses}" -P "${PROJECT_SOURCE_DIR}/tests/unit/includes.cmake")

# The core asks the outside for memory and maths functions only: no allocation, no I/O, no exit. Sanitizers add their own symbols.
if(EN_CORE_TARGETS AND NOT EN_SANITIZE AND NOT EN_FUZZ)
  set(archives "")
  foreach(target IN LISTS EN_CORE_TARGETS)
    list(APPEND archives "$<TARGET_FILE:${target}>")
  endforeach()
  list(JOIN archives ":" archives)
  add_test(NAME symbols COMMAND ${CMAKE_COMMAND} "-DNM=${CMAKE_NM}" "-DARCHIVES=${archives}" -P "${PROJECT_SOURCE_DIR}/tests/unit/symbols.cmake")
  # Training takes its exponentials from the kernels, whose bits are the same everywhere; C libraries have each their own. (log: reported losses alone.)
  if(TARGET en_train)
    add_test(NAME train_exponentials COMMAND ${CMAKE_COMMAND} "-DNM=${CMAKE_NM}" "-DARCHIVES=$<TARGET_FILE:en_train>" "-DFORBIDDEN=^(exp|exp2|expm1|pow|tanh|erf)f?$" -P "${PROJECT_SOURCE_DIR}/tests/unit/symbols.cmake")
  endif()
endif()

# A toy architecture, weight type and kernel table: one file and one list line each (tests/drill/README.md). The host's own compiler runs it.
if(EN_TEXT AND NOT EN_BARE AND NOT EN_SANITIZE AND NOT EN_FUZZ AND NOT CMAKE_CROSSCOMPILING)
  add_test(NAME drill COMMAND "${PROJECT_SOURCE_DIR}/tests/drill/drill.sh" "${CMAKE_BINARY_DIR}/drill" "${CMAKE_C_COMPILER}")
endif()
