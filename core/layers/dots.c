/* dots.c - out = act(W in + b) for small matrices whose files keep them in F32 or F16 among quantized ones: routers, the narrow ends of low-rank pairs.
 * Row by row with the table's dot product, whose order of sums is fixed: the products of f32 matrices fuse, and so differ between machines
 * in the last bit, which would not stay there. W lies in plain rows; of `in` it reads the first cols of a row, of `out` it writes the first rows. */
#include "layers_internal.h"

enum { CHUNK = 512 /* columns decoded at once; every type's block divides it */, SERIAL_MACS = 1 << 15 };

/* Columns [c, c + n) of row i, n at most CHUNK unless the weights are F32. */
static const float *row_part(const en_weight *w, int32_t i, int32_t c, int32_t n, float *buffer) {
  const uint8_t *row = w->data + (size_t)i * en_row_bytes(w) + (size_t)(c / w->type->block) * (size_t)w->type->block_bytes;
  if (w->type->id == EN_F32) return (const float *)(const void *)row;
  w->type->decode(buffer, row, n);
  return buffer;
}
static int32_t part_of(const en_weight *w) { return w->type->id == EN_F32 ? w->cols : CHUNK; }

static void dot_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const en_weight *w = &j->r->w[j->s->w];
  const float *bias = en_vector(j->r, j->s->b);
  const int32_t most = w->type->id == EN_F32 ? EN_R : 1; /* rows at once: their results lie side by side, which caches like */
  float buffer[CHUNK];
  (void)lane;
  for (int32_t i = lo; i < hi; i += most)
    for (int32_t c = 0, n; c < w->cols; c += n) {
      const int32_t m = EN_MIN(most, hi - i);
      const float *rows[EN_R];
      n = EN_MIN(part_of(w), w->cols - c);
      for (int32_t k = 0; k < m; k++) rows[k] = row_part(w, i + k, c, n, buffer);
      for (int32_t t = 0; t < j->r->T; t++) {
        const float *x = en_slot_row(j->r, j->s->in, t) + c;
        float *y = en_slot_row(j->r, j->s->out, t) + i;
        for (int32_t k = 0; k < m; k++) y[k] = (c ? y[k] : bias ? bias[i + k] : 0) + j->r->k->dot(rows[k], x, n);
      }
    }
}

static void activate(const en_run *r, const en_step *s) {
  const int32_t n = r->w[s->w].rows;
  for (int32_t t = 0; s->in2 && t < r->T; t++) {
    float *y = en_slot_row(r, s->out, t);
    if (s->in2 == EN_ACT_TANH) r->k->softcap(y, y, 1, n);
    else en_sigmoid(r->k, y, y, n);
  }
}

int32_t en_dots_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_row_job job = {r, step};
  const en_weight *w = &r->w[step->w];
  (void)n_steps;
  if (!en_weight_given(w)) return 1; /* EN_T_ABOVE */
  en_parallel((int64_t)w->rows * w->cols * r->T < SERIAL_MACS ? NULL : r->host, dot_rows, &job, w->rows, EN_R);
  activate(r, step);
  return 1;
}

/* dy becomes the gradient of the sums. */
static void deactivate(const en_back *b, const en_step *s, int32_t n) {
  for (int32_t t = 0; s->in2 && t < b->r->T; t++) {
    const float *y = b->out + (size_t)t * en_slot_width(b->r, s->out);
    float *d = en_grad_row(b, s->out, t);
    for (int32_t i = 0; i < n; i++) d[i] *= s->in2 == EN_ACT_TANH ? 1 - y[i] * y[i] : y[i] * (1 - y[i]);
  }
}

static void dots_back_tokens(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const en_weight *w = &r->w[j->s->w];
  float buffer[CHUNK];
  (void)lane;
  for (int32_t i = 0; i < w->rows; i++)
    for (int32_t c = 0, n; c < w->cols; c += n) {
      n = EN_MIN(part_of(w), w->cols - c);
      const float *row = row_part(w, i, c, n, buffer);
      for (int32_t t = lo; t < hi; t++) r->k->axpy(en_grad_row(j->b, j->s->in, t) + c, row, en_grad_row(j->b, j->s->out, t)[i], n);
    }
}

/* dx += W^T dy;  dW += dy x^T;  db += dy */
void en_dots_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  const en_weight *w = &r->w[step->w];
  const en_back_job job = {b, step};
  float *dw = en_grad_weight(b, step->w), *db = en_grad_weight(b, step->b);
  deactivate(b, step, w->rows);
  for (int32_t t = 0; t < r->T; t++) {
    const float *dy = en_grad_row(b, step->out, t);
    for (int32_t i = 0; dw && i < w->rows; i++) r->k->axpy(dw + (size_t)i * (size_t)w->cols, en_slot_row(r, step->in, t), dy[i], w->cols);
    if (db) r->k->add(db, db, dy, w->rows);
  }
  if (b->need_in) en_rows_parallel(r, dots_back_tokens, &job);
  en_grad_clear(b, step->out);
}
