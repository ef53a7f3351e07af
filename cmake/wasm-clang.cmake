# Toolchain: a distribution's clang (18 or newer), lld and wasi-libc, no SDK.
#   cmake -DCMAKE_TOOLCHAIN_FILE=cmake/wasm-clang.cmake -DEN_VARIANT=simd128
# wasi-sdk works in its place: -DCMAKE_TOOLCHAIN_FILE=$WASI_SDK/share/cmake/wasi-sdk.cmake (both say CMAKE_SYSTEM_NAME WASI).
# EN_WASM_CLANG names another compiler.
set(CMAKE_SYSTEM_NAME WASI)
set(CMAKE_SYSTEM_VERSION 1)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}") # Platform/WASI.cmake
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

find_program(EN_WASM_CLANG NAMES clang-19 clang-20 clang-21 clang-22 clang-18 clang REQUIRED)
get_filename_component(llvm_bin "${EN_WASM_CLANG}" REALPATH)
get_filename_component(llvm_bin "${llvm_bin}" DIRECTORY)
foreach(language C ASM)
  set(CMAKE_${language}_COMPILER "${EN_WASM_CLANG}")
  set(CMAKE_${language}_COMPILER_TARGET wasm32-wasi)
endforeach()
find_program(CMAKE_AR NAMES llvm-ar HINTS "${llvm_bin}" NO_DEFAULT_PATH REQUIRED)
find_program(CMAKE_RANLIB NAMES llvm-ranlib HINTS "${llvm_bin}" NO_DEFAULT_PATH REQUIRED)
