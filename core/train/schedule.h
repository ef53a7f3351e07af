/* schedule.h - the learning rate of every step, and the order of the samples: the same run everywhere follows from its seed. */
#ifndef EN_SCHEDULE_H
#define EN_SCHEDULE_H
#include <stdint.h>

typedef enum { EN_SCHEDULE_CONSTANT, EN_SCHEDULE_LINEAR, EN_SCHEDULE_COSINE } en_schedule_kind;
/* lr: the highest rate; min_lr: what linear and cosine fall to; steps: of the whole run; warmup: of them at the start, rising. */
typedef struct { uint32_t kind; double lr, min_lr; uint64_t warmup, steps; } en_schedule;
/* Rate of step k = 0, 1, ...: lr (k + 1) / warmup while k < warmup (so that the first step is not lost); then, with
 * x = (k - warmup) / (steps - warmup): constant lr; linear lr - x (lr - min_lr); cosine min_lr + (lr - min_lr) (1 + cos pi x) / 2. */
double en_schedule_lr(const en_schedule *s, uint64_t k);
/* order[n]: 0 to n - 1 in an order that follows from seed and epoch alone (Fisher, Yates). */
void en_shuffle(uint32_t *order, uint32_t n, uint64_t seed, uint64_t epoch);
#endif
