/* quant: block codecs against ggml's own bytes (shared oracles) and fixed vectors, packing against its definition. */
#include "test.h"
#include "../../core/quant/quant.h"

enum { MAX_BLOCK = 256 };

static uint32_t fnv1a(const uint8_t *p, size_t n) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 16777619u;
  return h;
}

static void test_list(void) {
  int32_t n = 0;
  for (const en_type *t; (t = en_type_at(n)) != NULL; n++) {
    int32_t bytes = 0, at = 0, taken[4 * MAX_BLOCK] = {0};
    for (const char *s = t->fields; *s;) {
      const int32_t count = (int32_t)strtol(s, (char **)&s, 10), size = count * (*s == 'h' ? 2 : 4);
      CHECK(count > 0 && (*s == 'h' || *s == 'w'));
      if (*++s == '@') at = (int32_t)strtol(s + 1, (char **)&s, 10);
      s += *s == ' ';
      for (int32_t i = 0; i < size && at + i < t->block_bytes; i++) taken[at + i]++;
      at += size;
      bytes += size;
    }
    CHECK_EQ(bytes, t->block_bytes);
    for (int32_t i = 0; i < bytes; i++) CHECK_EQ(taken[i], 1); /* every byte has one place */
    CHECK(t->block_bytes <= 4 * t->block && t->block <= MAX_BLOCK);
    CHECK(en_type_by_id(t->id) == t);
    CHECK(en_type_by_name(t->name) == t);
  }
  CHECK_EQ(n, 17);
  CHECK(en_type_at(-1) == NULL);
  CHECK(en_type_by_id(77) == NULL);
  CHECK(en_type_by_name("q4_0") == &en_type_q4_0);
  CHECK(en_type_by_name("Bf16") == &en_type_bf16);
  CHECK(en_type_by_name("q4") == NULL);
  CHECK(en_type_by_name("q4_00") == NULL);
  CHECK(en_type_by_name("") == NULL);
  CHECK(en_type_by_name(NULL) == NULL);
}

#define CHECK_BLOCK(t, b, ok) do { char m_[80]; snprintf(m_, sizeof m_, "%s block %d is not what ggml makes", (t)->name, b); test_check(ok, m_, __FILE__, __LINE__); } while (0)

/* 64 blocks made by ggml: encoding gives the same bytes, decoding the same floats (-0 = 0). */
static void test_oracle(const en_type *t, const char *name) {
  char path[3][64];
  const char *const ends[] = {"in.f32", "enc.bin", "dec.f32"};
  unsigned char *file[3] = {0};
  size_t bytes[3] = {0};
  for (int i = 0; i < 3; i++) {
    snprintf(path[i], sizeof path[i], "oracles/blocks-%s.%s", name, ends[i]);
    file[i] = test_read(test_shared(path[i]), &bytes[i]);
  }
  if (file[0] && file[1] && file[2]) {
    const int64_t n = (int64_t)(bytes[0] / sizeof(float));
    uint8_t *encoded = malloc(bytes[1]);
    float *decoded = malloc(bytes[0]);
    CHECK_EQ(n, 64 * t->block);
    CHECK_EQ(bytes[1], 64 * t->block_bytes);
    CHECK_EQ(bytes[2], bytes[0]);
    t->encode(encoded, (const float *)(const void *)file[0], n, NULL);
    for (int b = 0; b < 64; b++) CHECK_BLOCK(t, b, memcmp(encoded + b * t->block_bytes, file[1] + b * t->block_bytes, (size_t)t->block_bytes) == 0);
    t->decode(decoded, file[1], n);
    const float *want = (const float *)(const void *)file[2];
    int64_t different = 0;
    for (int64_t i = 0; i < n; i++) different += decoded[i] != want[i];
    CHECK_EQ(different, 0);
    free(encoded);
    free(decoded);
  }
  for (int i = 0; i < 3; i++) free(file[i]);
}

/* A published input and the hash of the block that ggml makes of it, so that the codecs are pinned without shared data. */
static void test_fixed(void) {
  static const struct { const char *type; uint32_t hash; } want[] = {
    {"Q8_0", 0x51e02410}, {"Q4_0", 0x77ccb9d0}, {"Q4_1", 0x5d62e719}, {"Q5_0", 0x8c1bd23e}, {"Q5_1", 0x33cb5c1a}, {"IQ4_NL", 0xb789c98a}, {"Q2_K", 0x54bf628c},
    {"Q3_K", 0x5ab18ba9}, {"Q4_K", 0x19211959}, {"Q5_K", 0x498a6045}, {"Q6_K", 0xabc9fb82}, {"TQ1_0", 0xa2feb850}, {"TQ2_0", 0x95dc4282}};
  float x[MAX_BLOCK];
  uint8_t block[4 * MAX_BLOCK];
  for (int i = 0; i < MAX_BLOCK; i++) x[i] = (float)((37 * i + 11) % 64 - 32) / 16 + (float)((13 * i) % 5) / 64;
  for (int i = 0; i < EN_COUNT(want); i++) {
    const en_type *t = en_type_by_name(want[i].type);
    t->encode(block, x, t->block, NULL);
    CHECK_EQ(fnv1a(block, (size_t)t->block_bytes), want[i].hash);
  }
}

/* Finite, infinite and NaN inputs in any place must give bytes, not undefined conversions (run under UBSan). */
static void test_odd_inputs(void) {
  const float odd[] = {INFINITY, -INFINITY, NAN, 3e38f, -3e38f, 1e-45f, -0.0f};
  for (int32_t i = 0; en_type_at(i); i++) {
    const en_type *t = en_type_at(i);
    for (int k = 0; k < EN_COUNT(odd); k++) {
      float x[MAX_BLOCK], w[MAX_BLOCK], y[MAX_BLOCK];
      uint8_t block[4 * MAX_BLOCK];
      for (int32_t j = 0; j < t->block; j++) x[j] = (float)(j % 7) - 3, w[j] = 1;
      x[t->block / 2] = odd[k];
      t->encode(block, x, t->block, NULL);
      t->decode(y, block, t->block);
      t->encode(block, x, t->block, w);
      t->decode(y, block, t->block);
      if (t->block == 1 && t->block_bytes == 4) CHECK(memcmp(y, x, 4) == 0);
      if ((t == &en_type_q8_0 || t == &en_type_q4_0) && isnan(odd[k])) CHECK(y[t->block / 2] == 0 && y[0] != 0);
    }
  }
}

static double weighted_error(const en_type *t, const float *x, const float *w, int n, const float *importance) {
  uint8_t blocks[4 * 1024];
  float y[1024];
  double e = 0, s = 0;
  t->encode(blocks, x, n, importance);
  t->decode(y, blocks, n);
  for (int i = 0; i < n; i++) {
    e += (double)w[i] * pow((double)x[i] - (double)y[i], 2);
    s += (double)w[i] * (double)x[i] * (double)x[i];
  }
  return sqrt(e / s);
}

/* Importance must lower the weighted error of the block types: by a lot where weights differ much. */
static void test_importance(void) {
  enum { N = 1024 };
  static float x[N], w[N], zero[N];
  for (int i = 0; i < N; i++) {
    double g = -6;
    for (int k = 0; k < 12; k++) g += en_uniform(5, (uint64_t)(i * 12 + k)); /* about normal */
    x[i] = (float)g;
    w[i] = (float)exp(2 * (en_uniform(6, (uint64_t)i) * 4 - 2));
  }
  CHECK(weighted_error(&en_type_q4_0, x, w, N, w) < 0.92 * weighted_error(&en_type_q4_0, x, w, N, NULL));
  CHECK(weighted_error(&en_type_q8_0, x, w, N, w) < weighted_error(&en_type_q8_0, x, w, N, NULL));
  CHECK_EQ(weighted_error(&en_type_f32, x, w, N, w) == 0, 1);
  uint8_t block[34];
  float y[32];
  en_type_q8_0.encode(block, zero, 32, w);
  en_type_q8_0.decode(y, block, 32);
  CHECK(y[0] == 0 && y[31] == 0);
  en_type_q4_0.encode(block, x, 32, zero); /* nothing matters: still a sane block */
  en_type_q4_0.decode(y, block, 32);
  CHECK(isfinite(y[0]));
}

/* The packed layout, straight from the text in quant.h: field by field, unit by unit, row by row; blocks arranged before. */
static void pack_by_definition(const en_type *t, uint8_t *out, uint8_t *rows, int32_t n_blocks) {
  const size_t row_bytes = (size_t)n_blocks * (size_t)t->block_bytes;
  for (size_t b = 0; t->arrange && b < EN_R * (size_t)n_blocks; b++) t->arrange(rows + b * (size_t)t->block_bytes);
  for (int32_t b = 0; b < n_blocks; b++) {
    const size_t start = (size_t)b * (size_t)t->block_bytes;
    size_t at = start;
    for (const char *s = t->fields; *s;) {
      const int32_t count = (int32_t)strtol(s, (char **)&s, 10);
      const size_t unit = *s == 'h' ? 2 : 4;
      if (*++s == '@') at = start + (size_t)strtol(s + 1, (char **)&s, 10);
      s += *s == ' ';
      for (int32_t k = 0; k < count; k++, at += unit)
        for (size_t r = 0; r < EN_R; r++, out += unit) memcpy(out, rows + r * row_bytes + at, unit);
    }
  }
}

static void test_pack(const en_type *t, int32_t n_blocks) {
  const size_t row_bytes = (size_t)n_blocks * (size_t)t->block_bytes, bytes = EN_R * row_bytes;
  uint8_t *plain = malloc(bytes), *packed = malloc(bytes), *want = malloc(bytes), *scratch = malloc(bytes), *row = malloc(row_bytes);
  for (size_t i = 0; i < bytes; i++) packed[i] = plain[i] = (uint8_t)en_random(9, i);
  memcpy(scratch, plain, bytes);
  pack_by_definition(t, want, scratch, n_blocks);
  en_pack_group(t, packed, n_blocks, scratch);
  CHECK(memcmp(packed, want, bytes) == 0);
  for (int32_t r = 0; r < EN_R; r++) {
    en_unpack_row(t, row, packed, r, 0, n_blocks);
    CHECK(memcmp(row, plain + (size_t)r * row_bytes, row_bytes) == 0);
    const int32_t b0 = n_blocks / 3, b1 = n_blocks - n_blocks / 4;
    const size_t part = (size_t)(b1 - b0) * (size_t)t->block_bytes;
    uint8_t *exact = malloc(part ? part : 1); /* so that the sanitizer sees a byte too many */
    en_unpack_row(t, exact, packed, r, b0, b1);
    CHECK(memcmp(exact, plain + (size_t)r * row_bytes + (size_t)b0 * (size_t)t->block_bytes, part) == 0);
    free(exact);
  }
  free(plain);
  free(packed);
  free(want);
  free(scratch);
  free(row);
}

/* Where docs/formats.md puts the bits of value e of a block whose bits change places: low four, then the fifth (and sixth). */
typedef struct { int32_t low, half, high, bit; } place;
static place place_of(const char *type, int32_t e) {
  const int32_t j = e / 32, v = e % 32, g = v / 4;
  const place own = {16 * j + v % 16, v / 16, 4 * j + v % 4, g};
  if (!strcmp(type, "Q4_K")) return (place){16 + own.low, own.half, -1, 0};
  if (!strcmp(type, "Q5_K")) return (place){48 + own.low, own.half, 16 + own.high, g};
  if (!strcmp(type, "Q6_K")) return (place){64 * (j / 4) + 32 * (j % 2) + 16 * (j % 4 / 2) + v % 16, own.half, 128 + 32 * (j / 4) + 16 * (v / 16) + 4 * (j % 4) + v % 4, 2 * (g % 4)};
  const int32_t at = !strcmp(type, "Q5_0") ? 2 : 4;
  return (place){at + 4 + v % 16, own.half, at + v % 4, g / 2 + g % 2 * 4};
}

/* Arranging moves every value's bits to its place, keeps the rest, and is its own inverse. */
static void test_arrange(const en_type *t) {
  uint8_t plain[256], moved[256];
  float y[MAX_BLOCK];
  for (int32_t i = 0; i < t->block_bytes; i++) plain[i] = (uint8_t)en_random(11, (uint64_t)i);
  /* finite scales that tell all integers apart: 1, minimum 0, scales of groups 1 */
  const int six = !strcmp(t->name, "Q6_K");
  const uint16_t one = en_f32_to_f16(1), zero = 0;
  memcpy(plain + (six ? 208 : 0), &one, 2);
  if (!six && strcmp(t->name, "Q5_0") != 0) memcpy(plain + 2, &zero, 2);
  if (six) memset(plain + 192, 1, 16);
  else if (t->block > 32) memcpy(plain + 4, (const uint8_t[12]){1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1}, 12);
  t->decode(y, plain, t->block);
  memcpy(moved, plain, sizeof moved);
  t->arrange(moved);
  for (int32_t e = 0; e < t->block; e++) {
    const place p = place_of(t->name, e);
    int32_t code = moved[p.low] >> 4 * p.half & 15;
    if (p.high >= 0) code |= (moved[p.high] >> p.bit & (six ? 3 : 1)) << 4;
    CHECK_EQ(code - (six ? 32 : !strcmp(t->name, "Q5_0") ? 16 : 0), (int32_t)y[e]);
  }
  t->arrange(moved);
  CHECK(memcmp(moved, plain, (size_t)t->block_bytes) == 0);
}

int main(void) {
  test_list();
  static const char *const oracles[] = {"q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs", "tq1_0", "tq2_0"};
  for (int i = 0; i < EN_COUNT(oracles); i++) test_oracle(en_type_by_name(oracles[i]), oracles[i]);
  test_fixed();
  test_odd_inputs();
  test_importance();
  const int32_t widths[] = {1, 2, 3, 7, 32, 63, 130, 1000};
  for (int32_t i = 0; en_type_at(i); i++)
    if (en_type_at(i)->arrange) test_arrange(en_type_at(i));
  for (int32_t i = 0; en_type_at(i); i++)
    for (int k = 0; k < EN_COUNT(widths); k++) test_pack(en_type_at(i), widths[k]);
  return test_end();
}
