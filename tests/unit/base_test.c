/* base: halves against exact arithmetic, carving, checked sizes, the sentence formatter, the random stream. */
#include "../../core/base/base.h"
#include "test.h"

static void halves(void) {
  for (uint32_t h = 0; h < 65536; h++) { /* every half survives the round trip; NaN stays NaN */
    const float f = en_f16_to_f32((uint16_t)h);
    if (f != f) { const uint16_t b = en_f32_to_f16(f); CHECK((b & 0x7c00) == 0x7c00 && (b & 0x3ff)); continue; }
    CHECK_EQ(en_f32_to_f16(f), h);
  }
  for (uint32_t h = 0; h < 0x7c00; h++) { /* ties between neighbours go to the even one, a hair more or less decides otherwise */
    const float a = en_f16_to_f32((uint16_t)h), b = h + 1 < 0x7c00 ? en_f16_to_f32((uint16_t)(h + 1)) : 65536.0f;
    const float mid = (float)(((double)a + (double)b) / 2);
    CHECK_EQ(en_f32_to_f16(mid), h & 1 ? h + 1 : h);
    CHECK_EQ(en_f32_to_f16(nextafterf(mid, 0)), h);
    CHECK_EQ(en_f32_to_f16(nextafterf(mid, INFINITY)), h + 1);
  }
  CHECK_EQ(en_f32_to_f16(1e30f), 0x7c00);
  CHECK_EQ(en_f32_to_f16(-1e-30f), 0x8000);
  CHECK_EQ(en_f32_to_bf16(1.00390625f), 0x3f80); /* a tie: to even */
  CHECK_EQ(en_f32_to_bf16(1.01171875f), 0x3f82);
  CHECK(isnan(en_bf16_to_f32(en_f32_to_bf16(NAN))));
}

static void carving(void) {
  void *a = NULL, *b = NULL;
  const en_piece pieces[] = {{&a, 3, 4}, {&b, 100, 1}};
  const size_t need = en_carve(pieces, 2, NULL);
  CHECK_EQ(need, 64 + 128);
  CHECK(a == NULL);
  unsigned char *mem = aligned_alloc(64, need);
  CHECK_EQ(en_carve(pieces, 2, mem), need);
  CHECK(a == mem && b == mem + 64);
  free(mem);
  const en_piece huge[] = {{&a, UINT64_MAX / 2, 4}}, wrap[] = {{&a, UINT64_MAX - 3, 1}, {&b, 8, 1}};
  CHECK_EQ(en_carve(huge, 1, NULL), 0);
  CHECK_EQ(en_carve(wrap, 2, NULL), 0);
  uint64_t v = 7;
  CHECK(!en_mul_u64(UINT64_MAX, 2, &v) && v == 7 && en_mul_u64(1u << 31, 4, &v) && v == (uint64_t)1 << 33);
  CHECK(!en_add_u64(UINT64_MAX, 1, &v));
}

static void sentences(void) {
  en_why why;
  CHECK_EQ(en_fail(&why, EN_E_FORMAT, "tensor %S has %z bytes (%d, %u, %g%%) in %s", (size_t)5, "a\x1b" "bcd", (uint64_t)1 << 40, -3, 7u, 0.25, "x"), EN_E_FORMAT);
  CHECK(!strcmp(why.text, "tensor a?bcd has 1099511627776 bytes (-3, 7, 0.25%) in x"));
  char longish[600];
  memset(longish, 'y', 599);
  longish[599] = 0;
  en_fail(&why, EN_E_ARG, "%s", longish);
  CHECK_EQ(strlen(why.text), sizeof why.text - 1);
  CHECK_EQ(en_fail(NULL, EN_E_ARG, "%s", "x"), EN_E_ARG);
  CHECK(!strcmp(en_status_name(EN_E_STOPPED), "EN_E_STOPPED") && !strcmp(en_status_name(5), "EN_E_UNKNOWN"));
}

static void randomness(void) {
  double sum = 0, square = 0;
  for (uint64_t i = 0; i < 100000; i++) { const double u = en_uniform(42, i); CHECK(u >= 0 && u < 1); sum += u; square += u * u; }
  CHECK_NEAR(sum / 1e5, 0.5, 0.005);
  CHECK_NEAR(square / 1e5, 1.0 / 3, 0.005);
  CHECK(en_random(1, 0) != en_random(2, 0) && en_random(1, 0) != en_random(1, 1) && en_random(9, 9) == en_random(9, 9));
}

int main(void) {
  halves();
  carving();
  sentences();
  randomness();
  return test_end();
}
