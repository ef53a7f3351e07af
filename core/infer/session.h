/* session.h - the inside of a session, shared by the runner (session.c) and the work on its caches (sequence.c). */
#ifndef EN_SESSION_H
#define EN_SESSION_H
#include "../model/adapter.h"

typedef struct { /* the batch in work */
  en_batch batch;
  uint32_t at;          /* first token of the slice */
  uint32_t done_rows;   /* rows of logits that earlier slices produced */
  int32_t part, layer, step;
  int32_t n_want;       /* rows of this slice that want logits */
  int32_t active;
} progress_t;

typedef struct { double ms, macs, bytes; uint64_t calls; } cost_t;

struct en_session {
  const en_model *m;
  en_host host;
  en_session_spec spec;
  en_run run;
  progress_t job;
  uint32_t *length;     /* [n_seq] positions in the cache */
  uint32_t *pending;    /* [n_seq] lengths when the batch is done */
  int32_t *ids, *lo, *hi, *want; /* [n_batch] */
  int32_t *lo_window;   /* [n_batch] what layers with a sliding window see from; empty if there is none */
  uint32_t *pos;        /* [n_batch] */
  float *cs;            /* [n_rope, n_batch, rot] */
  int32_t ropes;        /* bit k: some layer uses table k */
  en_tile *tiles;       /* [n_batch] */
  float *logits;        /* [n_logits, V] */
  uint8_t *kv;          /* [2, L, n_seq, K, n_ctx, E] */
  uint64_t layer_kv_bytes; /* one layer's keys, or values */
  const en_adapter *adapters[EN_LORA_MAX_STACK];
  uint32_t n_rows;
  cost_t cost[EN_OP_COUNT];
};
#endif
