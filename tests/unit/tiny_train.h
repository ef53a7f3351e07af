/* tiny_train.h - a tiny model, an adapter over it and its trainer; one batch of two sequences with masked and half-weighted tokens. */
#ifndef EN_TINY_TRAIN_H
#define EN_TINY_TRAIN_H
#include "../../core/include/en_train.h"
#include "tiny_model.h"

enum { T = 21, RANK = 3 };
static int32_t ids[T];
static uint32_t segment[T];
static float weight[T];

typedef struct { en_adapter *a; en_trainer *t; void *a_mem, *t_mem; } setup_t;

static inline setup_t set_up(const en_model *m, const en_adapter_spec *as, const en_train_spec *ts, const en_host *host) {
  setup_t s = {0};
  en_why why = {{0}};
  const size_t a_need = en_adapter_bytes(m, as);
  s.a_mem = aligned_alloc(EN_ALIGN, a_need);
  CHECK_EQ(en_adapter_init(&s.a, s.a_mem, a_need - 1, m, as, 3, &why), EN_E_NOMEM);
  CHECK_EQ(en_adapter_init(&s.a, s.a_mem, a_need, m, as, 3, &why), EN_OK);
  const size_t t_need = en_trainer_bytes(s.a, ts, host);
  s.t_mem = aligned_alloc(EN_ALIGN, t_need);
  memset(s.t_mem, 0x5A, t_need);
  CHECK_EQ(en_trainer_init(&s.t, s.t_mem, t_need - 1, s.a, ts, host, &why), EN_E_NOMEM);
  CHECK_EQ(en_trainer_init(&s.t, s.t_mem, t_need, s.a, ts, host, &why), EN_OK);
  return s;
}
static inline void tear_down(setup_t *s) { free(s->a_mem); free(s->t_mem); }

/* Give B values too: with B = 0 the gradient of A vanishes. */
static inline void fill_b(en_adapter *a) {
  for (uint32_t l = 0; l < TINY_L; l++)
    for (uint32_t target = 1; target <= EN_LORA_DOWN; target *= 2) {
      uint32_t rank, rows;
      float *b = en_adapter_b(a, l, target, &rank, &rows);
      for (uint32_t i = 0; b && i < rank * rows; i++) b[i] = (float)(0.2 * en_uniform(l * 1000 + target, i) - 0.1);
    }
}

static inline void fill_batch(void) {
  for (int i = 0; i < T; i++) {
    ids[i] = (int32_t)(en_random(6, (uint64_t)i) % TINY_V);
    segment[i] = i < 9 ? 4 : 9;
    weight[i] = i == 3 || i == 12 ? 0 : i % 4 == 1 ? 0.5f : 1;
  }
}
static const en_train_batch plain = {.n = T, .ids = ids, .segment = segment, .weight = weight};

static inline double mean_loss(en_trainer *t, const en_train_batch *b) {
  en_train_loss loss = {0, 1};
  CHECK_EQ(en_train_evaluate(t, b, &loss, NULL), EN_OK);
  return loss.loss / loss.weight;
}

/* What adapters reach of every architecture, and the weight types that all of them, or the first two, are tried with. */
static const struct { const char *name; uint32_t targets; } tiny_archs[] = {{"llama", EN_LORA_ALL}, {"qwen2", EN_LORA_ALL}, {"llama-moe", EN_LORA_Q | EN_LORA_K | EN_LORA_V | EN_LORA_O}, {"qwen3", EN_LORA_ALL},
  {"phi2", EN_LORA_ALL & ~EN_LORA_GATE}, {"phi3", EN_LORA_ALL}, {"gemma", EN_LORA_ALL}, {"gemma2", EN_LORA_ALL}, {"gemma3", EN_LORA_ALL}};
static const int32_t tiny_types[] = {EN_F32, EN_Q8_0, EN_Q4_0};
static inline int tiny_n_types(int arch) { return arch < 2 ? EN_COUNT(tiny_types) : 2; }
#endif
