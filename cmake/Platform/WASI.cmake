# What CMake has to know about WASI (as wasi-sdk's own platform file says it).
set(WASI 1)
set(CMAKE_EXECUTABLE_SUFFIX ".wasm")
