/* inline.h - how the shared bodies ask compilers to inline, and to unroll loops of constant length into registers (or not to). */
#ifndef EN_INLINE_H
#define EN_INLINE_H
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-ter") /* that pass hoists products over their sums until registers spill: Q8_0 on AVX2 40 instead of 60 GMAC/s (gcc 12) */
#endif
#include "../kernels.h"
#define EN_INLINE static inline __attribute__((always_inline))
#define EN_OUTLINE static __attribute__((noinline, unused)) /* rare paths, kept out of the loops */
#ifdef __clang__
#define EN_UNROLL _Pragma("clang loop unroll(full)")
#define EN_ROLL _Pragma("clang loop unroll(disable)")
#else
#define EN_UNROLL _Pragma("GCC unroll 32")
#define EN_ROLL
#endif
#endif
