/* neon.c - the table for every AArch64 processor. */
#include "table.h"

const en_kernels en_kernels_neon = {
  .name = "neon",
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#define EN_KERNEL(fn, ret, args) .fn = fn,
#include "../kernels.def"
#undef EN_KERNEL
};
