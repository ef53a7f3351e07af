/* embedding.c - sessions that give embeddings: whole texts side by side in a slice, keys and values of one layer at a time, rows pooled at the end.
 * Attention reads a row's own text only: [lo, hi) are rows of the slice, and a key lies in the cell of its row. */
#include "session.h"
#include <math.h>

int32_t en_embed_settle(en_session_spec *s, const en_model *m) {
  const uint32_t most = (uint32_t)m->c.n_ctx_train;
  if (s->pooling == EN_POOL_MODEL) s->pooling = m->info.pooling;
  s->n_ctx = EN_MIN(s->n_ctx ? s->n_ctx : 512, most);
  s->n_batch = EN_MAX(s->n_batch ? s->n_batch : 512, s->n_ctx);
  s->n_seq = 1;
  if (!s->n_logits) s->n_logits = s->n_batch;
  return s->n_batch <= 1 << 16 && s->n_logits <= 1 << 20 && s->kv_type <= EN_KV_F16 && s->pooling <= EN_POOL_RANK;
}

int32_t en_embed_usable(const en_session_spec *s, const en_model *m, en_why *why) {
  if (!s->pooling && m->c.bidirectional) return en_fail(why, EN_E_UNSUPPORTED, "this %s model gives embeddings, it cannot write text", m->arch->name);
  if (s->pooling && m->c.bidirectional && m->c.window) return en_fail(why, EN_E_UNSUPPORTED, "a sliding window that looks both ways (%s) is not supported", m->arch->name);
  if (s->pooling != EN_POOL_RANK) return EN_OK;
  for (int32_t i = 0; i < m->arch->n_rank; i++)
    if (m->arch->rank[i].op == EN_OP_LINEAR && !en_weight_given(&m->globals[m->arch->rank[i].w]))
      return en_fail(why, EN_E_UNSUPPORTED, "the model has no rank head: tensor %s is missing", m->arch->globals[m->arch->rank[i].w].name);
  return m->arch->n_rank ? EN_OK : en_fail(why, EN_E_UNSUPPORTED, "%s models have no rank head", m->arch->name);
}

uint64_t en_embed_width(const en_session_spec *s, const en_model *m) {
  return (uint64_t)en_dim_size(&m->c, !s->pooling ? EN_DIM_V : s->pooling == EN_POOL_RANK ? EN_DIM_LABELS : EN_DIM_D);
}

static uint32_t text_end(const en_batch *b, uint32_t at) { /* of the text that begins there */
  uint32_t i = at + 1;
  while (i < b->n && (!b->seq || b->seq[i] == b->seq[at])) i++;
  return i;
}

int32_t en_embed_check(const en_session *s, const en_batch *b, en_why *why) {
  uint32_t n_texts = 0;
  for (uint32_t i = 0; i < b->n; i++)
    if (b->ids[i] < 0 || b->ids[i] >= s->m->c.V) return en_fail(why, EN_E_ARG, "token %d is outside the vocabulary of %d", b->ids[i], s->m->c.V);
  for (uint32_t at = 0, end; at < b->n; at = end, n_texts++) {
    end = text_end(b, at);
    if (end - at > s->spec.n_ctx) return en_fail(why, EN_E_FULL, "text %u has %u tokens, this session takes %u", n_texts, end - at, s->spec.n_ctx);
  }
  const uint32_t rows = s->spec.pooling == EN_POOL_TOKENS ? b->n : n_texts;
  return rows <= s->spec.n_logits ? EN_OK : en_fail(why, EN_E_FULL, "%u rows of embeddings were asked for, the session keeps %u", rows, s->spec.n_logits);
}

/* One text into rows [t0, end) of the slice. */
static void lay_text(en_session *s, int32_t t0, int32_t end) {
  for (int32_t t = t0; t < end; t++) {
    s->pos[t] = (uint32_t)(t - t0);
    s->cell[t] = (uint32_t)t;
    s->lo[t] = t0;
    s->hi[t] = s->m->c.bidirectional ? end : t + 1;
    en_session_chain(s, t, (uint32_t)t0); /* a text by its first row */
    if (s->m->c.window) s->lo_window[t] = EN_MAX(t0, t + 1 - s->m->c.window);
    if (s->spec.pooling <= EN_POOL_MEAN) s->want[s->job.n_want++] = t;
    if ((t - t0) % EN_ATTEND_TILE == 0) s->tiles[s->run.n_tiles++] = (en_tile){t, EN_MIN(EN_ATTEND_TILE, end - t), 0};
  }
  if (s->spec.pooling > EN_POOL_MEAN) s->want[s->job.n_want++] = s->spec.pooling == EN_POOL_LAST ? end - 1 : t0;
  s->text_end[s->job.n_texts++] = end;
}

void en_embed_slice(en_session *s) {
  progress_t *j = &s->job;
  const en_batch *b = &j->batch;
  j->T = 0;
  j->n_want = j->n_texts = 0;
  for (uint32_t at = j->at, end; at < b->n; at = end) {
    end = text_end(b, at);
    if (end - j->at > s->spec.n_batch) break;
    lay_text(s, (int32_t)j->T, (int32_t)(end - j->at));
    j->T = end - j->at;
  }
}

const en_step *en_embed_program(const en_session *s, int32_t *n) {
  const en_arch *arch = s->m->arch;
  if (s->spec.pooling == EN_POOL_RANK) { *n = arch->n_rank; return arch->rank; }
  *n = en_arch_head(arch);
  return arch->end;
}

uint32_t en_embed_pool(en_session *s) {
  const progress_t *j = &s->job;
  const en_arch *arch = s->m->arch;
  const int32_t pooling = (int32_t)s->spec.pooling, width = (int32_t)en_embed_width(&s->spec, s->m);
  const int32_t slot = pooling == EN_POOL_RANK ? EN_S_SCORES : arch->end[en_arch_head(arch)].in, n = pooling == EN_POOL_MEAN ? j->n_texts : j->n_want;
  const float *x = s->run.slot[slot];
  float *out = s->logits + (size_t)j->done_rows * (size_t)width;
  if (pooling != EN_POOL_MEAN) {
    memcpy(out, x, (size_t)n * (size_t)width * sizeof *out);
    return (uint32_t)n;
  }
  for (int32_t i = 0, t = 0; i < n; i++, out += width) {
    const int32_t n_rows = s->text_end[i] - t;
    memcpy(out, x + (size_t)t * (size_t)width, (size_t)width * sizeof *out);
    for (t++; t < s->text_end[i]; t++) s->m->k.add(out, out, x + (size_t)t * (size_t)width, width);
    s->m->k.scale(out, out, 1 / (float)n_rows, width);
  }
  return (uint32_t)n;
}

uint32_t en_embedding_rows(const en_session *s) { return s->spec.pooling ? s->n_rows : 0; }
uint32_t en_embedding_size(const en_session *s) { return s->spec.pooling ? (uint32_t)en_embed_width(&s->spec, s->m) : 0; }
float *en_embedding(en_session *s, uint32_t row) { return row < en_embedding_rows(s) ? s->logits + (size_t)row * en_embedding_size(s) : NULL; }

void en_normalize(float *x, uint32_t n) {
  double sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  const double scale = sum > 0 ? 1 / sqrt(sum) : 0;
  for (uint32_t i = 0; i < n; i++) x[i] = (float)((double)x[i] * scale);
}
