/* neon_dot.c - the table for AArch64 with the dot product instructions (Armv8.2 and later, Apple M1, Cortex-A76 on). The instructions
 * are switched on here and not by compiler flags, so that one library runs everywhere. */
#if defined(__aarch64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#define EN_NEON_DOT
#include "table.h"
#if defined(__linux__)
#include <sys/auxv.h>
#endif

static int32_t usable(void) {
#if defined(__ARM_FEATURE_DOTPROD) && defined(__clang__)
  return 1;
#elif defined(__linux__)
  return (getauxval(AT_HWCAP) >> 20 & 1) != 0; /* HWCAP_ASIMDDP */
#else
  return 0;
#endif
}

const en_kernels en_kernels_neon_dot = {
  .name = "neon-dot",
  .usable = usable,
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#define EN_KERNEL(fn, ret, args) .fn = fn,
#include "../kernels.def"
#undef EN_KERNEL
};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
