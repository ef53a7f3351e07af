/* exports_train.c - adapters and training across the border; the rules are those of exports.c.
 * Settings of many fields come through the mailbox: JavaScript writes them there, in the order that the reader below takes them. */
#include "exports.h"
#include "../core/include/en_train.h"
#include "../core/train/schedule.h"

/* ---- adapters ---- */

/* EN_LORA_* of everything that the model has. */
uint32_t w_adapter_targets(const en_model *m) {
  uint32_t all = 0;
  for (uint32_t bit = 1; bit <= EN_LORA_ALL; bit <<= 1)
    if (en_adapter_bytes(m, &(en_adapter_spec){.rank = 1, .alpha = 1, .targets = bit})) all |= bit;
  return all;
}

/* mail: rank, alpha, targets, rslora, first_layer, seed, dora */
int32_t w_adapter_new(const en_model *m) {
  const double *in = w_mail();
  const en_adapter_spec spec = {.rank = (uint32_t)in[0], .alpha = (float)in[1], .targets = (uint32_t)in[2], .rslora = (uint32_t)in[3], .first_layer = (uint32_t)in[4], .dora = (uint32_t)in[6]};
  const uint64_t seed = (uint64_t)in[5];
  en_adapter *a = NULL;
  const size_t need = en_adapter_bytes(m, &spec);
  void *block = need ? w_open_block(need, "adapter") : NULL;
  if (need && !block) return EN_E_NOMEM;
  return w_opened(en_adapter_init(&a, block, need, m, &spec, seed, w_reason()), a, block);
}
/* A llama.cpp file. */
int32_t w_adapter_open(const en_model *m, const void *file, uint32_t n_bytes) {
  en_adapter *a = NULL;
  const size_t need = en_adapter_file_bytes(m, file, n_bytes);
  void *block = need ? w_open_block(need, "adapter") : NULL;
  if (need && !block) return EN_E_NOMEM;
  return w_opened(en_adapter_init_file(&a, block, need, m, file, n_bytes, w_reason()), a, block);
}
/* PEFT's two files. */
int32_t w_adapter_open_peft(const en_model *m, const void *tensors, uint32_t n_bytes, const char *config, uint32_t config_bytes) {
  en_adapter *a = NULL;
  const size_t need = en_adapter_peft_bytes(m, tensors, n_bytes);
  void *block = need ? w_open_block(need, "adapter") : NULL;
  if (need && !block) return EN_E_NOMEM;
  return w_opened(en_adapter_init_peft(&a, block, need, m, tensors, n_bytes, config, config_bytes, w_reason()), a, block);
}
double w_adapter_params(const en_adapter *a) { return (double)en_adapter_params(a); }
/* Rank of a target of a layer, 0: it has none. */
uint32_t w_adapter_rank(en_adapter *a, uint32_t layer, uint32_t target) {
  uint32_t rank = 0, cols;
  return en_adapter_a(a, layer, target, &rank, &cols) ? rank : 0;
}
double w_adapter_alpha(const en_adapter *a) { return (double)en_adapter_alpha(a); }
/* mail: the file's bytes in a block of its own, count; the caller frees it. EN_E_UNSUPPORTED: this adapter has no such form. */
enum { FORM_GGUF, FORM_PEFT, FORM_PEFT_CONFIG };
static size_t save(const en_adapter *a, int32_t form, const en_peft_config *config, void *dst, size_t cap) {
  if (form == FORM_GGUF) return en_adapter_save(a, dst, cap);
  return form == FORM_PEFT ? en_adapter_save_peft(a, dst, cap) : en_adapter_save_peft_config(a, config, dst, cap);
}
/* base_model, dropout, rslora: for PEFT's settings. */
int32_t w_adapter_save(const en_adapter *a, int32_t form, const char *base_model, double dropout, uint32_t rslora) {
  const en_peft_config config = {base_model, (float)dropout, rslora};
  const size_t n = save(a, form, &config, NULL, 0);
  if (!n) return en_fail(w_reason(), EN_E_UNSUPPORTED, "llama.cpp's adapter files have no place for DoRA: export as peft or json");
  void *block = w_open_block(n, "adapter's file");
  if (!block) return EN_E_NOMEM;
  save(a, form, &config, block, n);
  return w_opened(EN_OK, block, block);
}
int32_t w_session_attach(en_session *s, en_adapter *a, double scale) { return en_session_attach(s, a, (float)scale, w_reason()); }
int32_t w_session_detach(en_session *s, en_adapter *a) { return en_session_detach(s, a); }

/* Into the model's weights, for ever. */
int32_t w_adapter_merge(en_model *m, const en_adapter *a, double scale) {
  const size_t need = en_adapter_merge_bytes(a);
  void *scratch = w_open_block(need, "scratch of merging");
  if (!scratch) return EN_E_NOMEM;
  const int32_t status = en_adapter_merge(m, a, (float)scale, scratch, need, w_reason());
  w_free(scratch);
  return status;
}
void w_adapter_rebased(en_adapter *a) { en_adapter_rebased(a); }
/* The file of a model as its weights are now: n_bytes of it from byte `at` on. */
int32_t w_model_read(const en_model *m, double at, void *dst, uint32_t n_bytes) { return at >= 0 ? en_model_read(m, (uint64_t)at, dst, n_bytes) : EN_E_ARG; }

/* ---- training ---- */

static en_train_spec spec_from_mail(void) {
  const double *in = w_mail();
  return (en_train_spec){
    .n_tokens = (uint32_t)in[0], .keep = (uint32_t)in[1], .clip_norm = (float)in[2], .weight_decay = (float)in[3], .optimizer = (uint32_t)in[4], .momentum = (float)in[5],
    .freeze_a = (uint32_t)in[6], .lr_ratio_b = (float)in[7], .dropout = (float)in[8], .seed = (uint64_t)in[9], .loss = (uint32_t)in[10], .label_smoothing = (float)in[11], .temperature = (float)in[12], .hard_mix = (float)in[13]};
}
/* Settings in the mailbox. a NULL: all weights of m. Bytes that w_trainer_open will ask for; 0: it will say why not. */
static size_t trainer_bytes(const en_adapter *a, const en_model *m, const en_train_spec *spec, const en_host *host) {
  return a ? en_trainer_bytes(a, spec, host) : en_trainer_model_bytes(m, spec, host);
}
double w_trainer_bytes(const en_adapter *a, const en_model *m) {
  const en_train_spec spec = spec_from_mail();
  const en_host host = w_lanes();
  return (double)trainer_bytes(a, m, &spec, &host);
}
int32_t w_trainer_open(en_adapter *a, en_model *m) {
  const en_train_spec spec = spec_from_mail();
  const en_host host = w_lanes();
  en_trainer *t = NULL;
  const size_t need = trainer_bytes(a, m, &spec, &host);
  void *block = need ? w_open_block(need, "training") : NULL;
  if (need && !block) return EN_E_NOMEM;
  return w_opened(a ? en_trainer_init(&t, block, need, a, &spec, &host, w_reason()) : en_trainer_init_model(&t, block, need, m, &spec, &host, w_reason()), t, block);
}

/* What w_train_begin borrows until the micro-batch is done: ids and weight [n], segment [n], prefix [n, n_embd] or NULL, goals [n] of masked tokens,
 * targets of pairs; rows [n_rows, n_embd] of a larger batch of pairs, of which this one's begin at first_row, or NULL; a teacher's logits [n, teacher_k] of
 * teacher_ids, or [n, vocabulary] where those are NULL. what: EN_TRAIN_*. */
int32_t w_train_begin(en_trainer *t, uint32_t n, const int32_t *ids, const uint32_t *segment, const float *weight, const float *prefix, const int32_t *goals, const float *targets,
                      const float *rows, uint32_t n_rows, uint32_t first_row, const float *teacher, const int32_t *teacher_ids, uint32_t teacher_k, int32_t what) {
  const en_train_batch batch = {.n = n, .ids = ids, .segment = segment, .weight = weight, .prefix = prefix, .goals = goals, .targets = targets, .rows = rows, .n_rows = n_rows, .first_row = first_row,
                                .teacher = teacher, .teacher_ids = teacher_ids, .teacher_k = teacher_k};
  return en_train_begin(t, &batch, what, w_reason());
}
/* Mask ids [n] in place; goals [n] get what stood there. Returns how many. */
uint32_t w_train_mask(int32_t *ids, int32_t *goals, uint32_t n, double probability, int32_t mask, int32_t first, int32_t n_vocab, double seed, double counter) {
  return en_train_mask(ids, goals, n, &(en_mask_spec){(float)probability, mask, first, n_vocab, (uint64_t)seed}, (uint64_t)counter);
}
/* Embeddings of the last micro-batch's texts; mail: how many. */
const float *w_train_rows(const en_trainer *t) {
  uint32_t n = 0;
  const float *rows = en_train_rows(t, &n);
  w_mail()[0] = n;
  return rows;
}
const float *w_trainer_prefix(const en_trainer *t) { return en_trainer_prefix(t); }
/* mail, when it is done: sum of the loss, sum of the weights */
int32_t w_train_run(en_trainer *t, uint32_t n_steps) {
  en_train_loss out;
  EN_TRY(en_train_run(t, n_steps, &out, w_reason()));
  w_mail()[0] = out.loss;
  w_mail()[1] = out.weight;
  return EN_OK;
}
void w_train_drop(en_trainer *t) { en_train_drop(t); }
void w_train_forget(en_trainer *t) { en_train_forget(t); }
/* mail: norm of the gradient, also when the step was skipped because it is not finite */
int32_t w_train_step(en_trainer *t, double lr) { return en_train_step(t, lr, w_mail(), w_reason()); }
double w_trainer_steps(const en_trainer *t) { return (double)en_trainer_steps(t); }
double w_trainer_save(const en_trainer *t, void *dst, uint32_t cap) { return (double)en_trainer_save(t, dst, cap); }
int32_t w_trainer_load(en_trainer *t, const void *src, uint32_t n_bytes) { return en_trainer_load(t, src, n_bytes, w_reason()); }

/* ---- what the whole run follows from ---- */
double w_schedule_lr(uint32_t kind, double lr, double min_lr, double warmup, double steps, double k) {
  const en_schedule s = {kind, lr, min_lr, (uint64_t)warmup, (uint64_t)steps};
  return en_schedule_lr(&s, (uint64_t)k);
}
void w_shuffle(uint32_t *order, uint32_t n, double seed, double epoch) { en_shuffle(order, n, (uint64_t)seed, (uint64_t)epoch); }
double w_uniform(double seed, double counter) { return en_uniform((uint64_t)seed, (uint64_t)counter); }
