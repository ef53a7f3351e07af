/* base.h - what every layer of the core stands on: status helpers, checked sizes, one-table memory carving, half floats,
 * unaligned little-endian reads, a counter-based random stream. No allocation, no I/O, no globals. */
#ifndef EN_BASE_H
#define EN_BASE_H
#include "../include/en.h"
#include <string.h>

#define EN_TRY(call) do { int32_t en_try_ = (call); if (en_try_ != EN_OK) return en_try_; } while (0)
#define EN_COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))
#define EN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define EN_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Write one sentence into why (may be NULL) and return status. Formats: %s (const char *), %S (size_t n, const char * - a counted
 * string, shown up to 60 bytes, control bytes as '?'), %d (int32_t), %u (uint32_t), %z (uint64_t), %g (double, 6 digits), %%. Never more than fits. */
int32_t en_fail(en_why *why, int32_t status, const char *format, ...);

/* Checked integer maths: 1 and *out on success, 0 when the result does not fit (wasm32 wraps silently otherwise). */
int en_mul_u64(uint64_t a, uint64_t b, uint64_t *out);
int en_add_u64(uint64_t a, uint64_t b, uint64_t *out);
int en_fit_size(uint64_t v, size_t *out);

/* One table both sizes and carves a block of lent memory, so that the two cannot differ. mem NULL: only size.
 * Returns the bytes needed (each piece rounded up to EN_ALIGN), 0 on overflow. */
typedef struct { void **p; uint64_t n, elem_bytes; } en_piece;
size_t en_carve(const en_piece *pieces, int32_t n_pieces, void *mem);

/* IEEE half and bfloat16. f32 -> half rounds to nearest even, overflow gives infinity, NaN stays NaN. */
float en_f16_to_f32(uint16_t h);
uint16_t en_f32_to_f16(float f);
float en_bf16_to_f32(uint16_t h);
uint16_t en_f32_to_bf16(float f);

static inline uint16_t en_rd16(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t en_rd32(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t en_rd64(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
/* IEEE single precision as files have it. tests/double compiles the core with double in the place of float; this type stays. */
#ifndef EN_F32_DEFINED
typedef float en_f32;
#endif
static inline float en_rdf32(const void *p) { en_f32 v; memcpy(&v, p, 4); return v; }

/* Counter-based random numbers: the same (seed, counter) gives the same value on every machine and in any order. */
uint64_t en_random(uint64_t seed, uint64_t counter);
/* Uniform in [0, 1), 53 bits. */
static inline double en_uniform(uint64_t seed, uint64_t counter) { return (double)(en_random(seed, counter) >> 11) * 0x1p-53; }

/* FNV-1a, 64 bits: a fingerprint, not a proof. Start with EN_HASH64. */
#define EN_HASH64 0xcbf29ce484222325u
#define EN_FNV64 0x100000001b3u
uint64_t en_hash64(uint64_t h, const void *bytes, size_t n_bytes);

/* Run a job over [0, n) on the host's lanes, or here. */
void en_parallel(const en_host *host, void (*job)(const void *ctx, int32_t lo, int32_t hi, int32_t lane), const void *ctx, int32_t n, int32_t step);
static inline int32_t en_lanes(const en_host *h) { return h && h->parallel && h->n_lanes > 1 ? h->n_lanes : 1; }
#endif
