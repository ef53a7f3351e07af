/* sequence.c - fork, save and restore the KV cache of one sequence; put adapters on and off.
 * Saved form, little-endian: { char magic[4] "ENKV"; u32 version 1; u64 fingerprint of the model; u32 L, K, E, kv_type, n, 0 }, then for
 * every layer keys and values as [K, n] rows of en_kv_row_bytes(kv_type, E); or, K being 0, for every layer its state as f32. */
#include "session.h"

typedef struct { char magic[4]; uint32_t version; uint64_t fingerprint; uint32_t L, K, E, kv_type, n, zero; } state_head;

static size_t row_bytes(const en_session *s) { return en_kv_row_bytes(s->spec.kv_type, s->m->c.E); }
/* What a sequence has lies in runs: of positions, one for every layer, keys or values, and head; or a layer's state. */
static size_t n_runs(const en_session *s) { return (size_t)s->m->c.L * (s->m->c.n_state ? 1 : 2 * (size_t)s->m->c.K); }
static size_t run_bytes(const en_session *s, uint32_t n) { return !s->m->c.n_state ? row_bytes(s) * n : n ? (size_t)s->m->c.n_state * sizeof(float) : 0; }

/* Where run i of a sequence begins. */
static uint8_t *run_at(const en_session *s, uint32_t seq, size_t i) {
  if (s->m->c.n_state) return (uint8_t *)(s->state + ((i * s->spec.n_seq + seq) * 2 + s->state_at[seq]) * (size_t)s->m->c.n_state);
  const size_t K = (size_t)s->m->c.K, run = row_bytes(s) * s->spec.n_ctx;
  return s->kv + i / K * (size_t)s->layer_kv_bytes + ((size_t)seq * K + i % K) * run;
}

int32_t en_seq_copy(en_session *s, uint32_t from, uint32_t to) {
  if (from >= s->spec.n_seq || to >= s->spec.n_seq) return EN_E_ARG;
  if (from == to) return EN_OK;
  for (size_t i = 0; i < n_runs(s); i++) memcpy(run_at(s, to, i), run_at(s, from, i), run_bytes(s, s->length[from]));
  s->length[to] = s->length[from];
  return EN_OK;
}

static state_head head_of(const en_session *s, uint32_t n) {
  return (state_head){{'E', 'N', 'K', 'V'}, 1, s->m->info.fingerprint, (uint32_t)s->m->c.L, (uint32_t)s->m->c.K, (uint32_t)s->m->c.E, s->spec.kv_type, n, 0};
}

size_t en_seq_state_bytes(const en_session *s, uint32_t seq) {
  return seq < s->spec.n_seq ? sizeof(state_head) + n_runs(s) * run_bytes(s, s->length[seq]) : 0;
}

int32_t en_seq_save(const en_session *s, uint32_t seq, void *dst, size_t cap) {
  const size_t need = en_seq_state_bytes(s, seq);
  if (!need) return EN_E_ARG;
  if (cap < need) return EN_E_FULL;
  const state_head head = head_of(s, s->length[seq]);
  const size_t run = run_bytes(s, head.n);
  memcpy(dst, &head, sizeof head);
  for (size_t i = 0; i < n_runs(s); i++) memcpy((uint8_t *)dst + sizeof head + i * run, run_at(s, seq, i), run);
  return EN_OK;
}

int32_t en_seq_load(en_session *s, uint32_t seq, const void *src, size_t n_bytes, en_why *why) {
  state_head head;
  if (seq >= s->spec.n_seq) return en_fail(why, EN_E_ARG, "sequence %u does not exist: the session has %u", seq, s->spec.n_seq);
  if (s->spec.pooling) return en_fail(why, EN_E_STATE, "this session gives embeddings, it keeps no sequences");
  if (n_bytes < sizeof head) return en_fail(why, EN_E_FORMAT, "the saved state is cut short");
  memcpy(&head, src, sizeof head);
  const state_head want = head_of(s, head.n);
  if (memcmp(head.magic, want.magic, 4) || head.version != want.version) return en_fail(why, EN_E_FORMAT, "this is not a saved state that we can read");
  if (memcmp(&head, &want, sizeof head)) return en_fail(why, EN_E_ARG, "the saved state belongs to another model or another type of cache");
  if (head.n > s->spec.n_ctx) return en_fail(why, EN_E_FULL, "the saved state has %u positions, the context holds %u", head.n, s->spec.n_ctx);
  const size_t run = run_bytes(s, head.n);
  if (n_bytes != sizeof head + n_runs(s) * run) return en_fail(why, EN_E_FORMAT, "the saved state has %z bytes, expected %z", (uint64_t)n_bytes, (uint64_t)(sizeof head + n_runs(s) * run));
  for (size_t i = 0; i < n_runs(s); i++) memcpy(run_at(s, seq, i), (const uint8_t *)src + sizeof head + i * run, run);
  s->length[seq] = head.n;
  return EN_OK;
}

/* ---- adapters ---- */

static void forget_all(en_session *s) {
  s->job.active = 0;
  memset(s->length, 0, s->spec.n_seq * sizeof *s->length);
}

int32_t en_session_attach(en_session *s, en_adapter *a, float scale, en_why *why) {
  int32_t i = 0;
  if (a->m != s->m) return en_fail(why, EN_E_ARG, "the adapter was made for another model");
  if (!(scale > -1e6f && scale < 1e6f)) return en_fail(why, EN_E_ARG, "the adapter's scale is out of range");
  while (i < EN_LORA_MAX_STACK && s->adapters[i] && s->adapters[i] != a) i++;
  if (i == EN_LORA_MAX_STACK) return en_fail(why, EN_E_FULL, "%d adapters are attached already", EN_LORA_MAX_STACK);
  s->adapters[i] = a;
  s->run.lora_scale[i] = scale;
  forget_all(s);
  return EN_OK;
}

int32_t en_session_detach(en_session *s, en_adapter *a) {
  int32_t i = 0;
  while (i < EN_LORA_MAX_STACK && s->adapters[i] != a) i++;
  if (i == EN_LORA_MAX_STACK) return EN_E_ARG;
  for (; i + 1 < EN_LORA_MAX_STACK; i++) {
    s->adapters[i] = s->adapters[i + 1];
    s->run.lora_scale[i] = s->run.lora_scale[i + 1];
  }
  s->adapters[EN_LORA_MAX_STACK - 1] = NULL;
  forget_all(s);
  return EN_OK;
}
