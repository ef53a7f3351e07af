/* base.c - status names, checked sizes, carving, half floats, random numbers, lanes. */
#include "base.h"

const char *en_status_name(int32_t status) {
  static const char *const names[] = {"EN_OK", "EN_E_ARG", "EN_E_NOMEM", "EN_E_MORE", "EN_E_FORMAT", "EN_E_UNSUPPORTED",
                                      "EN_E_FULL", "EN_E_STOPPED", "EN_E_STATE", "EN_E_NUMERIC"};
  return status <= 0 && status > -EN_COUNT(names) ? names[-status] : "EN_E_UNKNOWN";
}

int en_mul_u64(uint64_t a, uint64_t b, uint64_t *out) {
  if (b != 0 && a > UINT64_MAX / b) return 0;
  *out = a * b;
  return 1;
}

int en_add_u64(uint64_t a, uint64_t b, uint64_t *out) {
  if (a > UINT64_MAX - b) return 0;
  *out = a + b;
  return 1;
}

int en_fit_size(uint64_t v, size_t *out) {
  if (v > SIZE_MAX) return 0;
  *out = (size_t)v;
  return 1;
}

size_t en_carve(const en_piece *pieces, int32_t n_pieces, void *mem) {
  uint64_t at = 0;
  size_t total = 0;
  for (int32_t i = 0; i < n_pieces; i++) {
    uint64_t bytes;
    if (mem) *pieces[i].p = (uint8_t *)mem + (size_t)at;
    if (!en_mul_u64(pieces[i].n, pieces[i].elem_bytes, &bytes) || !en_add_u64(bytes, EN_ALIGN - 1, &bytes)) return 0;
    if (!en_add_u64(at, bytes / EN_ALIGN * EN_ALIGN, &at)) return 0;
  }
  /* Half of the address space at most: pointer differences inside one object must fit ptrdiff_t. An empty table still needs a block. */
  if (at > (uint64_t)(SIZE_MAX / 2) || !en_fit_size(at, &total)) return 0;
  return total ? total : EN_ALIGN;
}

float en_f16_to_f32(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
  uint32_t exponent = (h >> 10) & 31, mantissa = h & 0x3ff, bits;
  if (exponent == 31) {
    bits = sign | 0x7f800000 | mantissa << 13; /* infinity, NaN */
  } else if (exponent) {
    bits = sign | (exponent + 112) << 23 | mantissa << 13;
  } else if (mantissa) { /* subnormal half: a normal float */
    exponent = 113;
    while (!(mantissa & 0x400)) {
      mantissa <<= 1;
      exponent--;
    }
    bits = sign | exponent << 23 | (mantissa & 0x3ff) << 13;
  } else {
    bits = sign;
  }
  en_f32 f;
  memcpy(&f, &bits, 4);
  return f;
}

uint16_t en_f32_to_f16(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  const uint32_t sign = (bits >> 16) & 0x8000, exponent = (bits >> 23) & 255;
  uint32_t mantissa = bits & 0x7fffff;
  if (exponent == 255) return (uint16_t)(sign | 0x7c00 | (mantissa ? 0x200 | mantissa >> 13 : 0));
  if (exponent > 142) return (uint16_t)(sign | 0x7c00);
  uint32_t shift = 13, base = exponent > 112 ? (exponent - 112) << 10 : 0;
  if (exponent <= 112) { /* subnormal half, or zero */
    if (exponent < 102) return (uint16_t)sign;
    mantissa |= 0x800000;
    shift = 126 - exponent;
  }
  const uint32_t half = 1u << (shift - 1), rest = mantissa & ((1u << shift) - 1);
  uint32_t out = base + (mantissa >> shift);
  if (rest > half || (rest == half && (out & 1))) out++; /* may carry into the exponent, up to infinity: that is right */
  return (uint16_t)(sign | out);
}

float en_bf16_to_f32(uint16_t h) {
  const uint32_t bits = (uint32_t)h << 16;
  en_f32 f;
  memcpy(&f, &bits, 4);
  return f;
}

uint16_t en_f32_to_bf16(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 64); /* NaN stays NaN */
  return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* splitmix64's finaliser (Steele, Lea, Flood 2014) over a Weyl sequence keyed by the seed. */
uint64_t en_random(uint64_t seed, uint64_t counter) {
  uint64_t z = (seed ^ 0x6a09e667f3bcc909u) * 0x9e3779b97f4a7c15u + counter * 0xd1b54a32d192ed03u;
  for (int i = 0; i < 2; i++) {
    z ^= z >> 30;
    z *= 0xbf58476d1ce4e5b9u;
    z ^= z >> 27;
    z *= 0x94d049bb133111ebu;
    z ^= z >> 31;
  }
  return z;
}

uint64_t en_hash64(uint64_t h, const void *bytes, size_t n_bytes) {
  const uint8_t *p = bytes;
  for (size_t i = 0; i < n_bytes; i++) h = (h ^ p[i]) * EN_FNV64;
  return h;
}

void en_parallel(const en_host *host, void (*job)(const void *, int32_t, int32_t, int32_t), const void *ctx, int32_t n, int32_t step) {
  if (n <= 0) return;
  if (en_lanes(host) > 1 && n > step) host->parallel(host->ud, job, ctx, n, step);
  else job(ctx, 0, n, 0);
}
