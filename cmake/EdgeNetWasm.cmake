# edge-net-<variant>.wasm: a reactor module with the flat exports of wasm/exports.txt.
# Three tool families compile it from here: plain clang + wasi-libc (cmake/wasm-clang.cmake), wasi-sdk (its own toolchain file)
# and Emscripten (emcmake cmake). They differ in link options only.
set(EN_STACK_BYTES 262144)
set(EN_MAX_MEMORY 4294967296)

file(GLOB wasm_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/wasm/*.c")
if(NOT wasm_sources)
  return()
endif()
set(name edge-net-${EN_VARIANT})
add_executable(${name} ${wasm_sources})
set_target_properties(${name} PROPERTIES SUFFIX .wasm C_EXTENSIONS ON)
target_link_libraries(${name} PRIVATE en_core en_flags)

file(STRINGS "${PROJECT_SOURCE_DIR}/wasm/exports.txt" exports REGEX "^[a-z]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/wasm/exports.txt")
set_target_properties(${name} PROPERTIES LINK_DEPENDS "${PROJECT_SOURCE_DIR}/wasm/exports.txt")

if(EN_WASM_THREADS)
  file(GLOB entry CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/wasm/*.S")
  target_sources(${name} PRIVATE ${entry})
  target_link_libraries(${name} PRIVATE en_host)
else()
  list(FILTER exports EXCLUDE REGEX "^w_(pool_|tls_|thread_)")
endif()

if(EN_WASM STREQUAL "wasi")
  list(TRANSFORM exports PREPEND "LINKER:--export=" OUTPUT_VARIABLE export_options)
  # Stack first: an overflow traps at address 0 instead of running into data. -O0 on the link line only: stops clang from
  # running whatever wasm-opt is in PATH; an old one cannot parse relaxed SIMD, and --no-wasm-opt makes clang 19 skip the link.
  target_link_options(${name} PRIVATE -mexec-model=reactor ${export_options}
    LINKER:--strip-all,--stack-first,-z,stack-size=${EN_STACK_BYTES},--max-memory=${EN_MAX_MEMORY} -O0)
  if(EN_WASM_THREADS)
    # The distribution's libc objects are not marked "atomics", hence no-check-features. Sound here because only the owner
    # thread allocates or calls the C library; lanes compute.
    target_link_options(${name} PRIVATE LINKER:--import-memory,--shared-memory,--no-check-features)
  endif()
else()
  list(TRANSFORM exports PREPEND "_")
  list(JOIN exports "," export_list)
  target_link_options(${name} PRIVATE --no-entry -sSTANDALONE_WASM -sALLOW_MEMORY_GROWTH -sMAXIMUM_MEMORY=4GB -sINITIAL_MEMORY=4MB
    -sTOTAL_STACK=${EN_STACK_BYTES} "-sEXPORTED_FUNCTIONS=${export_list}" -sERROR_ON_UNDEFINED_SYMBOLS=1)
  if(EN_WASM_THREADS)
    target_compile_options(en_flags INTERFACE -mbulk-memory)
    target_link_options(${name} PRIVATE -sIMPORTED_MEMORY=1 LINKER:--shared-memory,--no-check-features)
  endif()
endif()

# convert.wasm: any engine can run the plain code, so one variant builds it.
if(EN_WASM STREQUAL "wasi" AND EN_VARIANT STREQUAL "scalar")
  add_executable(convert "${PROJECT_SOURCE_DIR}/wasm/convert/convert.c")
  set_target_properties(convert PROPERTIES SUFFIX .wasm C_EXTENSIONS ON)
  target_link_libraries(convert PRIVATE en_format en_flags)
  set(convert_exports c_alloc c_free c_why c_mail c_text_name c_text c_shard c_scan c_open c_piece c_convert)
  list(TRANSFORM convert_exports PREPEND "LINKER:--export=")
  target_link_options(convert PRIVATE -mexec-model=reactor ${convert_exports} LINKER:--strip-all,--stack-first,-z,stack-size=${EN_STACK_BYTES},--max-memory=${EN_MAX_MEMORY} -O0)
endif()
