# en_flags: what every source of ours is compiled with. EN_WASM: "" | wasi | emscripten.
if(EMSCRIPTEN)
  set(EN_WASM emscripten)
elseif(WASI OR CMAKE_SYSTEM_NAME STREQUAL "WASI" OR CMAKE_C_COMPILER_TARGET MATCHES "^wasm32")
  set(EN_WASM wasi)
else()
  set(EN_WASM "")
endif()

# The default -O3 is for the kernels; everything else is better served by small code (EdgeNetCore.cmake sets levels per folder).
set(CMAKE_C_FLAGS_RELEASE "-O2" CACHE STRING "" FORCE)

add_library(en_flags INTERFACE)
target_compile_options(en_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Werror
  -ffp-contract=off   # the same sources give the same bits in every build; fused products only where a kernel asks for them
  -fno-math-errno)    # nobody reads errno after sqrtf; with it sqrt is a call instead of an instruction
if(EN_SANITIZE)
  target_compile_options(en_flags INTERFACE "-fsanitize=${EN_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  target_link_options(en_flags INTERFACE "-fsanitize=${EN_SANITIZE}")
endif()
if(EN_FUZZ)
  target_compile_options(en_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(EN_BARE)
  target_compile_options(en_flags INTERFACE -ffreestanding)
endif()

if(EN_WASM)
  set(EN_VARIANTS scalar simd128 relaxed simd128-mt relaxed-mt cli)
  if(NOT EN_VARIANT IN_LIST EN_VARIANTS)
    message(FATAL_ERROR "EN_VARIANT is '${EN_VARIANT}': choose one of ${EN_VARIANTS}")
  endif()
  # scalar keeps to what the oldest engines know; every engine with SIMD has the other three.
  if(NOT EN_VARIANT STREQUAL "scalar")
    target_compile_options(en_flags INTERFACE -msimd128 -mbulk-memory -mnontrapping-fptoint -msign-ext)
  endif()
  if(EN_VARIANT MATCHES "^relaxed")
    target_compile_options(en_flags INTERFACE -mrelaxed-simd)
  endif()
  if(EN_VARIANT MATCHES "-mt$")
    set(EN_WASM_THREADS ON)
    target_compile_options(en_flags INTERFACE -matomics)
  endif()
endif()
