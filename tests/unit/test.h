/* test.h - the whole test framework: count checks, say where one failed, close with "N passed, N failed". */
#ifndef EN_TEST_H
#define EN_TEST_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int passed, failed, skipped; } test_counts;
static test_counts test_count;

static inline void test_check(int ok, const char *what, const char *file, int line) {
  if (ok) { test_count.passed++; return; }
  test_count.failed++;
  if (test_count.failed <= 50) printf("%s:%d: FAILED: %s\n", file, line, what);
}
#define CHECK(cond) test_check(!!(cond), #cond, __FILE__, __LINE__)
/* With numbers in the message. */
#define CHECK_EQ(got, want) do { long long g_ = (long long)(got), w_ = (long long)(want); char m_[300]; \
  snprintf(m_, sizeof m_, "%s is %lld, expected %lld", #got, g_, w_); test_check(g_ == w_, m_, __FILE__, __LINE__); } while (0)
#define CHECK_NEAR(got, want, tolerance) do { double g_ = (double)(got), w_ = (double)(want); char m_[300]; \
  snprintf(m_, sizeof m_, "%s is %.9g, expected %.9g +- %.3g", #got, g_, w_, (double)(tolerance)); test_check(fabs(g_ - w_) <= (tolerance), m_, __FILE__, __LINE__); } while (0)

static inline void test_skip(const char *what) { test_count.skipped++; printf("skipped: %s\n", what); }

/* sqrt(sum (got - want)^2 / sum want^2) */
static inline double test_rel_rms(const float *got, const float *want, size_t n) {
  double e = 0, s = 0;
  for (size_t i = 0; i < n; i++) { double d = (double)got[i] - (double)want[i]; e += d * d; s += (double)want[i] * (double)want[i]; }
  return s > 0 ? sqrt(e / s) : sqrt(e);
}

/* Path of a shared fixture; NULL (and a loud line) when shared data is absent. The buffer is reused. */
static inline const char *test_shared(const char *relative) {
  static char path[1024];
  const char *root = getenv("EDGE_NET_SHARED");
  snprintf(path, sizeof path, "%s/%s", root ? root : "../shared", relative);
  FILE *f = fopen(path, "rb");
  if (!f) { printf("skipped: no shared data (%s)\n", relative); test_count.skipped++; return NULL; }
  fclose(f);
  return path;
}
/* Whole file in memory aligned to 64 bytes; NULL if it cannot be read. free() it. */
static inline unsigned char *test_read(const char *path, size_t *n_bytes) {
  *n_bytes = 0;
  FILE *f = path ? fopen(path, "rb") : NULL;
  if (!f) return NULL;
  fseek(f, 0, SEEK_END);
  const long n = ftell(f);
  fseek(f, 0, SEEK_SET);
  unsigned char *p = n < 0 ? NULL : aligned_alloc(64, ((size_t)n + 64) / 64 * 64);
  if (p && fread(p, 1, (size_t)n, f) != (size_t)n) { free(p); p = NULL; }
  fclose(f);
  *n_bytes = p ? (size_t)n : 0;
  return p;
}

static inline int test_end(void) {
  printf("%d passed, %d failed", test_count.passed, test_count.failed);
  if (test_count.skipped) printf(", %d skipped", test_count.skipped);
  printf("\n");
  return test_count.failed || !(test_count.passed + test_count.skipped);
}
#endif
