/* simd128.c - the table for WebAssembly SIMD. Products by i16 pairs: the instruction set has no byte products. */
#include "vec.h"
#define EN_DENSE_V 2
#define EN_DENSE_T 4
#define EN_ATTEND_WIDE 2
#define EN_HAS_PANEL
#define EN_HAS_S16
#define EN_HAS_S16_NIBBLES
#define EN_NIBBLES EN_S16
#define EN_NIBBLES_FORM 1
#define EN_PLANES EN_S16
#define EN_PLANES_FORM 2
#define EN_BYTES EN_S16
#define EN_BYTES_FORM 2
#include "../simd/blocks.h"
#include "../simd/attend.h"

EN_FORM(nibbles, EN_S16, 1)
EN_FORM(bytes, EN_S16, 0)
static const en_form forms[] = {{NULL, NULL}, {bytes_nibbles, fill_nibbles}, {bytes_bytes, fill_bytes}};

const en_kernels en_kernels_simd128 = {
  .name = "simd128",
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#define EN_KERNEL(fn, ret, args) .fn = fn,
#include "../kernels.def"
#undef EN_KERNEL
};
