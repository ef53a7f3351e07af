/* trial.c - time a kernel table, for hosts that have to choose between two of them. */
#include "kernels.h"

enum { TRIAL_COLS = 1024, TRIAL_ROWS = 64, CALLS_PER_LOOK = 32 };

typedef struct { uint8_t *weights; float *x, *y; void *scratch; } trial;

static size_t carve(trial *t, const en_kernels *k, void *mem) {
  const en_piece pieces[] = {
    {(void **)&t->weights, TRIAL_ROWS * TRIAL_COLS / (uint64_t)en_type_q4_0.block, (size_t)en_type_q4_0.block_bytes},
    {(void **)&t->x, TRIAL_COLS, sizeof(float)},
    {(void **)&t->y, TRIAL_ROWS, sizeof(float)},
    {&t->scratch, en_matmul_scratch(k, TRIAL_COLS, 1, 1), 1},
  };
  return en_carve(pieces, EN_COUNT(pieces), mem);
}

double en_kernels_speed(const char *name, const en_host *host, double ms, void *mem) {
  en_kernels k;
  trial t;
  if (!host || !host->now_ms || en_kernels_pick(&k, name, NULL) != EN_OK || carve(&t, &k, NULL) > EN_TRIAL_BYTES) return 0;
  carve(&t, &k, mem);
  memset(t.weights, 0x3c, TRIAL_ROWS * TRIAL_COLS / 32 * (size_t)en_type_q4_0.block_bytes); /* scales of about 1, nibbles 3 and 12 */
  for (int32_t i = 0; i < TRIAL_COLS; i++) t.x[i] = (float)(i % 17) - 8;
  const en_weight w = {&en_type_q4_0, t.weights, TRIAL_ROWS, TRIAL_COLS, TRIAL_ROWS};
  const en_out out = {.w = &w, .y = t.y, .ldy = TRIAL_ROWS};
  const double start = host->now_ms(host->ud);
  double passed;
  int64_t calls = 0;
  do {
    for (int32_t i = 0; i < CALLS_PER_LOOK; i++) en_matmul(&k, NULL, t.x, TRIAL_COLS, 1, &out, 1, t.scratch);
    calls += CALLS_PER_LOOK;
    passed = host->now_ms(host->ud) - start;
  } while (passed < ms);
  return passed > 0 ? (double)(calls * TRIAL_ROWS * TRIAL_COLS) / passed * 1e-6 : 0;
}
