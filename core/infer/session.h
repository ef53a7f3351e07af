/* session.h - the inside of a session, shared by the runner (session.c), the work on its caches (sequence.c) and embeddings (embedding.c). */
#ifndef EN_SESSION_H
#define EN_SESSION_H
#include "../model/adapter.h"

enum { PART_BEGIN, PART_LAYERS, PART_END };
typedef struct { /* the batch in work */
  en_batch batch;
  uint32_t at;          /* first token of the slice */
  uint32_t done_rows;   /* rows of logits that earlier slices produced */
  uint32_t T;           /* tokens of the slice */
  int32_t part, layer, step;
  int32_t n_want;       /* rows of this slice that the end program works on: those that want logits, or that are pooled */
  int32_t n_texts;      /* whole texts in this slice, for embeddings */
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
  int32_t *text_end;    /* [n_batch] row behind every text of the slice; empty without pooling */
  int32_t *lo_window;   /* [n_batch] what layers with a sliding window see from; empty if there is none */
  uint32_t *pos;        /* [n_batch] */
  uint32_t *cell;       /* [n_batch] rows of the slice; empty without pooling: cells are positions then */
  float *cs;            /* [n_rope, n_batch, rot] */
  int32_t ropes;        /* bit k: some layer uses table k */
  en_tile *tiles;       /* [n_batch] */
  en_chain *chains;     /* [n_batch] and the next three: for models with a state */
  int32_t *next;        /* [n_batch] */
  uint8_t *state_at, *state_now; /* [n_seq] which of its two states a sequence is at; EN_STATE_* of the batch in work; without pooling */
  float *state;         /* [L, n_seq, 2, n_state]; with pooling [lanes, n_state] */
  float *logits;        /* [n_logits, V], or rows of embeddings */
  uint8_t *kv;          /* [L, 2, n_seq, K, n_ctx] rows of E values (en_kv_row_bytes); with pooling one layer and n_batch cells */
  uint64_t layer_kv_bytes; /* one layer's keys, or values */
  const en_adapter *adapters[EN_LORA_MAX_STACK];
  uint32_t n_rows;
  cost_t cost[EN_OP_COUNT];
};

void en_session_chain(en_session *s, int32_t t, uint32_t seq); /* row t of the slice goes on with the sequence */

/* ---- embedding.c: what differs when spec.pooling is set ---- */
int32_t en_embed_settle(en_session_spec *s, const en_model *m);  /* defaults and bounds; 0: out of range */
int32_t en_embed_usable(const en_session_spec *s, const en_model *m, en_why *why);
int32_t en_embed_check(const en_session *s, const en_batch *b, en_why *why);
void en_embed_slice(en_session *s);                              /* lay out the next whole texts of the batch */
const en_step *en_embed_program(const en_session *s, int32_t *n); /* from hidden rows to what is pooled */
uint32_t en_embed_pool(en_session *s);                           /* the slice is done: rows of embeddings that it gives */
uint64_t en_embed_width(const en_session_spec *s, const en_model *m);
#endif
