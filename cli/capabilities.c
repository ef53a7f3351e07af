/* capabilities.c - edge-net capabilities: what this build can run, and on what. */
#include "../core/arch/arch.h"
#include "cli.h"

static const arg_option options[] = {{.name = "json", .help = "print one JSON object", .kind = ARG_FLAG}};

static const char *const archs[] = {
#define EN_ARCH(name) #name,
#include "../core/arch/arch.def"
#undef EN_ARCH
};

static const char *kernel_name(int32_t i) { return en_kernels_name(i); }
static const char *arch_name(int32_t i) { return i < EN_COUNT(archs) ? archs[i] : NULL; }
static const char *type_name(int32_t i) { return en_type_at(i) ? en_type_at(i)->name : NULL; }

static void list(const char *label, const char *(*name)(int32_t), int json) {
  printf(json ? ",\"%s\":[" : "%-14s", label);
  for (int32_t i = 0; name(i); i++) printf(json ? "%s\"%s\"" : "%s%s", i ? json ? "," : " " : "", name(i));
  printf(json ? "]" : "\n");
}

static int run(const cli_args *a) {
  const int json = args_given(a, 0);
#if defined(__wasm__)
  const char *platform = "wasm32";
#elif defined(__aarch64__)
  const char *platform = "aarch64";
#elif defined(__x86_64__)
  const char *platform = "x86_64";
#else
  const char *platform = "other";
#endif
  printf(json ? "{\"abi\":%d,\"platform\":\"%s\",\"cores\":%d" : "abi           %d\nplatform      %s\ncores         %d\n", EN_ABI, platform, en_threads_cores());
  list("kernels", kernel_name, json);
  list("architectures", arch_name, json);
  list("types", type_name, json);
  if (json) printf("}\n");
  return 0;
}

const cli_command cli_command_capabilities = {
    .name = "capabilities", .operands = "", .summary = "tell what this build and this machine can run",
    .notes = "kernels: tables that this machine can run, the default first.", .options = options, .n_options = 1, .run = run};
