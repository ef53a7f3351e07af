/* selftest.c - does this engine compute the relaxed SIMD operations right? Called by JavaScript right after the module is there,
 * so that the engine's first (baseline) compiler is the one that is tested: V8 11.3 (Node 20 with the feature's flag) doubles
 * i32x4.relaxed_dot_i8x16_i7x16_add there, and only there. */
#include "../core/include/en.h"
int32_t w_selftest(void);

#if defined(__wasm_relaxed_simd__)
#include <wasm_simd128.h>

enum { N = 16 };
static int8_t weight(int32_t i) { return (int8_t)(i * 17 - 128); }       /* the whole range of i8 */
static int8_t level(int32_t i) { return (int8_t)((i * 29 + 3) & 127); }  /* 0..127: what every engine agrees on */

/* Out of line and straight from memory: the miscompilation shows only when the operands are fresh temporaries, as in kernels. */
__attribute__((noinline)) static void dot16(int16_t *out, const int8_t *a, const int8_t *b) {
  wasm_v128_store(out, wasm_i16x8_relaxed_dot_i8x16_i7x16(wasm_v128_load(a), wasm_v128_load(b)));
}
__attribute__((noinline)) static void dot32(int32_t *out, const int8_t *a, const int8_t *b, const int32_t *add) {
  wasm_v128_store(out, wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_v128_load(a), wasm_v128_load(b), wasm_v128_load(add)));
}
__attribute__((noinline)) static void madd(float *out, const float *a, const float *b, const float *add) {
  wasm_v128_store(out, wasm_f32x4_relaxed_madd(wasm_v128_load(a), wasm_v128_load(b), wasm_v128_load(add)));
}

int32_t w_selftest(void) {
  int8_t a[N], b[N];
  int16_t sums16[N / 2];
  int32_t sums32[N / 4], add[N / 4];
  const float f[4] = {1.5f, -2.25f, 3.0f, 0.125f};
  float products[4];
  for (int32_t i = 0; i < N; i++) { a[i] = weight(i); b[i] = level(i); }
  for (int32_t i = 0; i < N / 4; i++) add[i] = 1000 * i - 7;
  dot16(sums16, a, b);
  dot32(sums32, a, b, add);
  madd(products, f, f, f); /* exact, fused or not, for these values */
  for (int32_t i = 0; i < N / 2; i++)
    if (sums16[i] != weight(2 * i) * level(2 * i) + weight(2 * i + 1) * level(2 * i + 1)) return EN_E_NUMERIC;
  for (int32_t i = 0; i < N / 4; i++) {
    if (sums32[i] != add[i] + sums16[2 * i] + sums16[2 * i + 1]) return EN_E_NUMERIC;
    if (products[i] != f[i] * f[i] + f[i]) return EN_E_NUMERIC;
  }
  return EN_OK;
}
#else
int32_t w_selftest(void) { return EN_OK; }
#endif
