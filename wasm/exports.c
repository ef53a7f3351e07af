/* exports.c - the flat border of the WebAssembly builds.
 * Only i32, f64 and pointers (opaque numbers to JavaScript) cross. A call that has several results leaves them in one mailbox
 * of doubles (w_mail): exact to 2^53, enough for every size and offset. The sentence behind the last failure is at w_why().
 * Functions named w_*_open allocate what en_*_bytes() asks for and leave {handle, block, bytes} in mail[0..2]; w_free(block)
 * gives the memory back. exports.txt lists everything that is exported; w_pool_*, w_tls_bytes and w_thread_enter (thread_enter.S) only by -mt builds.
 * exports_train.c has the calls for adapters and training.
 * One module instance holds one model, so the few words below are the state of that instance; the core itself has none. */
#include "exports.h"
#include <stdlib.h>
#include <time.h>
#if defined(__wasm_atomics__)
#include "../host/pool.h"
#include <stdatomic.h>
#endif

enum { N_MAIL = 32 };
static double mail[N_MAIL];
#if defined(__wasm_atomics__)
static en_pool *pool;
#endif
static en_why why;
static int32_t stop_word;
static en_info info;

/* The glue answers every WASI clock with performance.now(), so this one does not jump. */
static double now_ms(void *ud) {
  struct timespec t;
  (void)ud;
  return clock_gettime(CLOCK_MONOTONIC, &t) ? 0 : (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}
static en_host host = {.stop = &stop_word};


/* ---- memory ---- */
int32_t w_abi(void) { return EN_ABI; }
double *w_mail(void) { return mail; }
en_why *w_reason(void) { return &why; }
en_host w_lanes(void) { return (en_host){.parallel = host.parallel, .ud = host.ud, .n_lanes = host.n_lanes}; }
const char *w_why(void) { return why.text; }
int32_t *w_stop_word(void) { return &stop_word; }

/* The C library cannot give 2 GiB or more at once. Such blocks, a large model's image above all, are taken from the memory itself;
 * a freed one is kept for the next of its kind. (Emscripten's heap wants to be the only one who grows the memory.) */
enum { N_LARGE = 8, PAGE_BYTES = 65536 };
static const uint32_t LARGE = UINT32_C(1) << 30;
static struct { void *block; uint64_t bytes; int32_t used; } large[N_LARGE];

static void *alloc_large(uint64_t n_bytes) {
#if !defined(__EMSCRIPTEN__)
  for (int32_t i = 0; i < N_LARGE; i++)
    if (large[i].block && !large[i].used && large[i].bytes >= n_bytes) { large[i].used = 1; return large[i].block; }
  for (int32_t i = 0; i < N_LARGE; i++)
    if (!large[i].block) {
      const size_t n_pages = (size_t)((n_bytes + PAGE_BYTES - 1) / PAGE_BYTES), first = __builtin_wasm_memory_grow(0, n_pages);
      if (first == SIZE_MAX) return NULL;
      large[i].block = (void *)(first * PAGE_BYTES);
      large[i].bytes = (uint64_t)n_pages * PAGE_BYTES;
      large[i].used = 1;
      return large[i].block;
    }
#endif
  return NULL;
}
/* Memory aligned to EN_ALIGN; NULL when there is none. The heap grows the wasm memory: views taken before are dead afterwards. */
void *w_alloc(uint32_t n_bytes) {
  const uint64_t whole = EN_MAX(EN_ALIGN, ((uint64_t)n_bytes + EN_ALIGN - 1) / EN_ALIGN * EN_ALIGN);
  return whole >= LARGE ? alloc_large(whole) : aligned_alloc(EN_ALIGN, (size_t)whole);
}
void w_free(void *block) {
  for (int32_t i = 0; i < N_LARGE; i++)
    if (block && large[i].block == block) { large[i].used = 0; return; }
  free(block);
}

void *w_open_block(size_t n_bytes, const char *what) {
  void *block = n_bytes && n_bytes <= UINT32_MAX ? w_alloc((uint32_t)n_bytes) : NULL;
  if (!block && n_bytes) en_fail(&why, EN_E_NOMEM, "the %s needs %z bytes of memory, more than this engine can have", what, (uint64_t)n_bytes);
  else if (!block) en_fail(&why, EN_E_NOMEM, "the %s needs more memory than this engine can have", what); /* the size itself does not fit */
  mail[1] = w_from_ptr(block);
  mail[2] = (double)n_bytes;
  return block;
}
int32_t w_opened(int32_t status, const void *handle, void *block) {
  if (status != EN_OK) w_free(block);
  mail[0] = w_from_ptr(status == EN_OK ? handle : NULL);
  return status;
}

/* ---- model ---- */
/* mail: file_bytes, data_offset, n_params, n_layer, n_embd, n_vocab, n_ctx_train, n_head, n_head_kv, n_ff, has_tokenizer,
 * has_logits, then pointers to three NUL-terminated strings: arch, name, type; pooling. */
static void mail_info(const en_info *i) {
  const double values[] = {(double)i->file_bytes, (double)i->data_offset, (double)i->n_params, i->n_layer, i->n_embd, i->n_vocab, i->n_ctx_train, i->n_head,
                           i->n_head_kv, i->n_ff, i->has_tokenizer, i->has_logits, w_from_ptr(i->arch), w_from_ptr(i->name), w_from_ptr(i->type), i->pooling};
  memcpy(mail, values, sizeof values);
}
int32_t w_probe(const void *head, uint32_t n_bytes) {
  EN_TRY(en_probe(head, n_bytes, &info, &why));
  mail_info(&info);
  return EN_OK;
}
/* The same of a model, with n_params and type. */
void w_model_info(const en_model *m) { mail_info(en_model_info(m)); }
int32_t w_model_open(void *image, uint32_t n_head_bytes) {
  en_model *m = NULL;
  void *block = w_open_block(en_model_bytes(image, n_head_bytes, &host), "table of the model's tensors");
  if (!block) return EN_E_NOMEM;
  return w_opened(en_model_init(&m, block, (size_t)mail[2], image, n_head_bytes, &host, &why), m, block);
}
int32_t w_model_feed(en_model *m, double upto) { return upto >= 0 ? en_model_feed(m, (uint64_t)upto) : EN_E_ARG; }
int32_t w_model_seal(en_model *m) { return en_model_seal(m, &why); }
int32_t w_model_use_kernels(en_model *m, const char *name) { return en_model_use_kernels(m, name, &why); }
const char *w_model_kernels(const en_model *m) { return en_model_kernels(m); }
const char *w_kernels_name(int32_t i) { return en_kernels_name(i); }
const char *w_kernels_rival(const en_model *m) { return en_kernels_rival(m); } /* m may be NULL */
/* 0 also when there is no memory for it */
double w_kernels_speed(const char *name, double ms) {
  const en_host clock = {.now_ms = now_ms};
  void *mem = w_alloc(EN_TRIAL_BYTES);
  const double speed = mem ? en_kernels_speed(name, &clock, ms, mem) : 0;
  w_free(mem);
  return speed;
}

static int32_t mail_value(int32_t status, const en_value *v, double *out) {
  if (status != EN_OK) return status;
  out[0] = v->type;
  out[1] = v->elem_type;
  out[2] = (double)v->n;
  out[3] = w_from_ptr(v->at);
  return EN_OK;
}
/* mail: type, elem_type, n, at */
int32_t w_meta(const en_model *m, const char *key) {
  en_value v;
  return mail_value(en_meta(m, key, &v), &v, mail);
}
/* mail: key, key bytes, type, elem_type, n, at */
int32_t w_meta_at(const en_model *m, uint32_t i) {
  en_value v;
  const uint8_t *key;
  uint64_t key_bytes;
  EN_TRY(en_meta_at(m, i, &key, &key_bytes, &v));
  mail[0] = w_from_ptr(key);
  mail[1] = (double)key_bytes;
  return mail_value(EN_OK, &v, mail + 2);
}

/* ---- tokenizer ---- */
int32_t w_tokenizer_open(const void *image, uint32_t n_head_bytes) {
  en_tokenizer *t = NULL;
  const size_t n_bytes = en_tokenizer_bytes(image, n_head_bytes);
  if (!n_bytes) { /* the init call knows the reason */
    const int32_t status = en_tokenizer_init(&t, NULL, 0, image, n_head_bytes, &why);
    return w_opened(status == EN_OK ? EN_E_UNSUPPORTED : status, NULL, NULL);
  }
  void *block = w_open_block(n_bytes, "tokenizer");
  if (!block) return EN_E_NOMEM;
  return w_opened(en_tokenizer_init(&t, block, n_bytes, image, n_head_bytes, &why), t, block);
}
int32_t w_tokenizer_same(const en_tokenizer *a, const en_tokenizer *b) { return en_tokenizer_same(a, b); }
/* mail: bos, eos, eot, eom, unk, sep, pad, cls, mask, add_bos, add_eos, n_vocab */
void w_special(const en_tokenizer *t) {
  const en_special *s = en_tokenizer_special(t);
  const double values[] = {s->bos, s->eos, s->eot, s->eom, s->unk, s->sep, s->pad, s->cls, s->mask, s->add_bos, s->add_eos, s->n_vocab};
  memcpy(mail, values, sizeof values);
}
int32_t w_token_is_end(const en_tokenizer *t, int32_t id) { return en_token_is_end(t, id); }
int32_t w_token_find(const en_tokenizer *t, const char *utf8, uint32_t n_bytes) { return en_token_find(t, utf8, n_bytes); }

/* mail: ids, count; the caller frees ids. */
int32_t w_encode(const en_tokenizer *t, const char *utf8, uint32_t n_bytes, int32_t flags) {
  const size_t scratch_bytes = en_encode_bytes(t, n_bytes);
  void *scratch = w_open_block(scratch_bytes ? scratch_bytes : EN_ALIGN, "scratch of the tokenizer");
  size_t cap = 0, n_ids = (size_t)n_bytes / 2 + 16;
  int32_t *ids = NULL, status = scratch ? EN_E_FULL : EN_E_NOMEM;
  while (status == EN_E_FULL) { /* the first guess fits most texts; the second pass has the exact number */
    free(ids);
    cap = n_ids;
    ids = cap <= UINT32_MAX / sizeof *ids ? w_alloc((uint32_t)(cap * sizeof *ids)) : NULL;
    if (!ids) { status = en_fail(&why, EN_E_NOMEM, "no memory for %z token ids", (uint64_t)cap); break; }
    status = en_encode(t, utf8, n_bytes, flags, ids, cap, &n_ids, scratch, scratch_bytes);
    if (status == EN_E_FULL && n_ids <= cap) break;
  }
  free(scratch);
  if (status != EN_OK) { free(ids); ids = NULL; }
  mail[0] = w_from_ptr(ids);
  mail[1] = (double)n_ids;
  return status;
}
/* mail: text (UTF-8), bytes; the caller frees the text. */
int32_t w_decode(const en_tokenizer *t, const int32_t *ids, uint32_t n_ids, int32_t flags, int32_t at_start) {
  size_t n_bytes = 0;
  char none;
  int32_t status = en_decode(t, ids, n_ids, flags, at_start, &none, 0, &n_bytes);
  if (status != EN_OK && status != EN_E_FULL) return status;
  char *text = w_open_block(n_bytes ? n_bytes : 1, "text of the tokens");
  if (!text) return EN_E_NOMEM;
  status = en_decode(t, ids, n_ids, flags, at_start, text, n_bytes, &n_bytes);
  mail[1] = (double)n_bytes;
  return w_opened(status, text, text);
}

/* ---- session ---- */
/* Sessions opened from now on measure their steps, or do not: every look at the clock is a call out of the engine. */
void w_clock(int32_t on) {
  host.now_ms = on ? now_ms : NULL;
#if defined(__wasm_atomics__)
  if (on && pool) en_pool_clock(pool, now_ms);
#endif
}
/* mail[3]: bytes of it that are KV cache, mail[4]: positions per sequence */
int32_t w_session_open(const en_model *m, uint32_t n_ctx, uint32_t n_batch, uint32_t n_seq, uint32_t n_logits, uint32_t kv_type, uint32_t pooling) {
  const en_session_spec spec = {.n_ctx = n_ctx, .n_batch = n_batch, .n_seq = n_seq, .n_logits = n_logits, .kv_type = kv_type, .pooling = pooling};
  en_session *s = NULL;
  void *block = w_open_block(en_session_bytes(m, &spec, &host), "session (context and scratch)");
  if (!block) return EN_E_NOMEM;
  mail[3] = (double)en_session_kv_bytes(m, &spec);
  const int32_t status = en_session_init(&s, block, (size_t)mail[2], m, &spec, &host, &why);
  mail[4] = status == EN_OK ? en_session_n_ctx(s) : 0;
  return w_opened(status, s, block);
}
/* ids, seq, want: [n], kept until the eval ends. */
int32_t w_eval_begin(en_session *s, uint32_t n, const int32_t *ids, const uint32_t *seq, const uint8_t *want) {
  const en_batch batch = {.n = n, .ids = ids, .seq = seq, .want = want};
  return en_eval_begin(s, &batch, &why);
}
int32_t w_eval_run(en_session *s, uint32_t n_steps) { return en_eval_run(s, n_steps, &why); }
void w_eval_drop(en_session *s) { en_eval_drop(s); }
float *w_logits(en_session *s, uint32_t row) { return en_logits(s, row); }
uint32_t w_embedding_size(const en_session *s) { return en_embedding_size(s); }
/* The first n values of a row, normalised if asked for. Once per row: it happens in place. */
float *w_embedding(en_session *s, uint32_t row, uint32_t n, int32_t normalize) {
  float *x = en_embedding(s, row);
  if (x && normalize) en_normalize(x, EN_MIN(n, en_embedding_size(s)));
  return x;
}
uint32_t w_seq_length(const en_session *s, uint32_t seq) { return en_seq_length(s, seq); }
int32_t w_seq_keep(en_session *s, uint32_t seq, uint32_t n) { return en_seq_keep(s, seq, n); }
int32_t w_seq_copy(en_session *s, uint32_t from, uint32_t to) { return en_seq_copy(s, from, to); }

/* The cache of a sequence as bytes. */
uint32_t w_seq_state_bytes(const en_session *s, uint32_t seq) { return (uint32_t)en_seq_state_bytes(s, seq); }
int32_t w_seq_save(const en_session *s, uint32_t seq, void *dst, uint32_t cap) { return en_seq_save(s, seq, dst, cap); }
int32_t w_seq_load(en_session *s, uint32_t seq, const void *src, uint32_t n_bytes) { return en_seq_load(s, seq, src, n_bytes, &why); }

/* Row i of the profile: returns its name (NULL past the end); mail: ms, macs, bytes, calls. */
const char *w_profile(const en_session *s, int32_t i) {
  enum { N_ROWS = 64 };
  en_profile_row rows[N_ROWS];
  const int32_t n = en_profile(s, rows, N_ROWS);
  if (i < 0 || i >= EN_MIN(n, N_ROWS)) return NULL;
  mail[0] = rows[i].ms;
  mail[1] = rows[i].macs;
  mail[2] = rows[i].bytes;
  mail[3] = (double)rows[i].calls;
  return rows[i].name;
}
void w_profile_reset(en_session *s) { en_profile_reset(s); }

/* ---- sampler and text stream ---- */
/* Returns the JavaScript name of parameter i, NULL past the end; mail: min, max, default. */
const char *w_param(uint32_t i) {
  const en_param_info *p = en_param(i);
  if (!p) return NULL;
  mail[0] = p->min;
  mail[1] = p->max;
  mail[2] = p->dflt;
  return p->js_name;
}
int32_t w_sampler_open(uint32_t n_vocab, uint32_t n_bias) {
  en_sampler *s = NULL;
  void *block = w_open_block(en_sampler_bytes(n_vocab, n_bias), "sampler");
  if (!block) return EN_E_NOMEM;
  return w_opened(en_sampler_init(&s, block, (size_t)mail[2], n_vocab, n_bias), s, block);
}
int32_t w_sampler_set(en_sampler *s, uint32_t param, double value) { return en_sampler_set(s, param, value); }
int32_t w_sampler_bias(en_sampler *s, int32_t id, double add) { return en_sampler_bias(s, id, (float)add); }
void w_sampler_reset(en_sampler *s) { en_sampler_reset(s); }
void w_sampler_follow(en_sampler *s, const en_sampler *from) { en_sampler_follow(s, from); }
void w_sampler_accept(en_sampler *s, const int32_t *ids, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) en_sampler_accept(s, ids[i]);
}
int32_t w_stream_open(const en_tokenizer *t, const char *stops, uint32_t stop_bytes, int32_t n_stops, int32_t at_start) {
  en_stream *s = NULL;
  void *block = w_open_block(en_stream_bytes(stop_bytes), "text stream");
  if (!block) return EN_E_NOMEM;
  return w_opened(en_stream_init(&s, block, (size_t)mail[2], t, stops, stop_bytes, n_stops, at_start), s, block);
}
static void mail_text(const char *text, size_t n_bytes) {
  mail[1] = w_from_ptr(text);
  mail[2] = (double)n_bytes;
}
/* mail[1], mail[2]: text and bytes that were held back */
int32_t w_stream_end(en_stream *s) {
  const char *text = NULL;
  size_t n_bytes = 0;
  const int32_t status = en_stream_end(s, &text, &n_bytes);
  mail_text(text, n_bytes);
  return status < 0 ? status : EN_OK; /* 1: a stop string ended the text */
}
int32_t w_lexicon_open(const en_tokenizer *t) {
  en_lexicon *x = NULL;
  void *block = w_open_block(en_lexicon_bytes(t), "ordered vocabulary");
  if (!block) return EN_E_NOMEM;
  return w_opened(en_lexicon_init(&x, block, (size_t)mail[2], t), x, block);
}
/* kind: EN_GRAMMAR_* */
int32_t w_grammar_open(const en_lexicon *x, int32_t kind, const char *text, uint32_t n_bytes) {
  en_grammar *g = NULL;
  void *block = w_open_block(en_grammar_bytes(x), "grammar");
  if (!block) return EN_E_NOMEM;
  return w_opened(en_grammar_init(&g, block, (size_t)mail[2], x, kind, text, n_bytes, &why), g, block);
}
/* One token of text, in one crossing: sample from a row of logits, accept, add to the stream.
 * mail: id, text, bytes (valid until the next call with this stream), end: 0 go on, 1 the model's end token, 2 a stop string.
 * ignore_end: end tokens do not end the text (they print nothing), except where a grammar ends with them. stream and t may be NULL: ids only; grammar NULL: any text.
 * n_vocab: logits of a row, for the grammar. A text that its grammar ends without an end token has end 1 and id -1. */
int32_t w_pick(en_session *s, uint32_t row, en_sampler *sampler, const en_tokenizer *t, en_stream *stream, int32_t ignore_end, en_grammar *grammar, uint32_t n_vocab) {
  float *logits = en_logits(s, row);
  int32_t id = -1, end = 0;
  if (!logits) return en_fail(&why, EN_E_STATE, "there are no logits in row %u", row);
  const int32_t open = grammar ? en_grammar_mask(grammar, logits, n_vocab, &why) : 1;
  if (open < 0) return open;
  if (!open) {
    mail[0] = -1;
    mail_text(NULL, 0);
    mail[3] = 1;
    return EN_OK;
  }
  if (en_sample(sampler, logits, &id) != EN_OK) return en_fail(&why, EN_E_NUMERIC, "every logit is NaN or -infinity: the model gives no token");
  en_sampler_accept(sampler, id);
  mail[0] = id;
  mail_text(NULL, 0);
  if (grammar) EN_TRY(en_grammar_accept(grammar, id));
  if (t && (grammar || !ignore_end) && en_token_is_end(t, id)) end = 1;
  else if (stream) {
    const char *text = NULL;
    size_t n_bytes = 0;
    const int32_t hit = en_stream_push(stream, id, &text, &n_bytes);
    if (hit < 0) return en_fail(&why, hit, "token %d has no text", id);
    mail_text(text, n_bytes);
    if (hit == 1) end = 2;
  }
  mail[3] = end;
  return EN_OK;
}

/* ---- compute lanes (the -mt builds) ---- */
#if defined(__wasm_atomics__)
/* First use of memory costs more than reading a file into it: the system clears each page. Atomic, for the owner may be writing there by now: contents stay as they are. */
enum { TOUCH_BYTES = 4096 /* smallest page of any system */ };
static _Atomic uint32_t touch_next, touch_end; /* in units of PAGE_BYTES */
static int32_t touch_page(void) {
  if (atomic_load(&touch_next) >= atomic_load(&touch_end)) return 0; /* a count that only ever went up would wrap */
  const uint32_t page = atomic_fetch_add(&touch_next, 1);
  if (page >= atomic_load(&touch_end)) return 0;
  /* The one atomic operation for which engines do not read first, which would make a page fault twice. */
  for (uint32_t at = 0, zero = 0; at < PAGE_BYTES; at += TOUCH_BYTES, zero = 0) atomic_compare_exchange_strong((_Atomic uint32_t *)((uintptr_t)page * PAGE_BYTES + at), &zero, 0);
  return 1;
}

/* Call before w_session_open. Lanes 1..n_lanes-1 are the caller's threads: each enters with w_thread_enter, then w_pool_worker. */
int32_t w_pool_init(int32_t n_lanes) {
  if (pool) return EN_E_STATE;
  if (n_lanes < 1 || n_lanes > EN_POOL_MAX_LANES) return EN_E_ARG;
  void *block = w_open_block(en_pool_bytes(), "pool of compute lanes");
  if (!block) return EN_E_NOMEM;
  pool = en_pool_init(block, en_pool_bytes(), n_lanes);
  if (!pool) return EN_E_NOMEM;
  en_pool_idle(pool, touch_page);
  en_pool_host(pool, &host);
  return EN_OK;
}
/* Soon all from `from` to `end` will be written, in this order: lanes that have nothing else to do go ahead. */
void w_pool_touch(uint32_t from, uint32_t end) {
  const uint32_t first = from / PAGE_BYTES + 1, last = end / PAGE_BYTES;
  if (!pool || first >= last) return;
  if (atomic_load(&touch_end) != last || atomic_load(&touch_next) < first) {
    atomic_store(&touch_next, first);
    atomic_store(&touch_end, last);
  }
  if (atomic_load(&touch_next) < last) en_pool_wake(pool);
}
void w_pool_worker(int32_t lane) { if (pool) en_pool_worker(pool, lane); }
void w_pool_stop(void) { if (pool) en_pool_stop(pool); }
/* mail: jobs that the lane took part in, its chunks, ms inside jobs and, of the owner, ms in which it waited for other lanes at their ends; times with w_clock only. */
void w_pool_look(int32_t lane) {
  const en_pool_counts c = pool ? en_pool_look(pool, lane) : (en_pool_counts){0};
  mail[0] = c.jobs, mail[1] = c.chunks, mail[2] = c.busy_ms, mail[3] = c.wait_ms;
}
uint32_t w_tls_bytes(void) { return (uint32_t)__builtin_wasm_tls_size(); }
#endif
