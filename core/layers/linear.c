/* linear.c - out (+)= W in + b + scale B (A in). Neighbouring LINEAR steps with the same input (q, k, v; gate, up) become one product, so
 * that the activations are prepared once and the lanes are woken once. The low-rank part is a few dot products and axpys per token. */
#include "layers_internal.h"

/* Dropout (Srivastava et al. 2014): entries of x become 0, the others grow by 1 / (1 - p). Which ones follows from the seed, the matrix and the place
 * alone, so that the way back and a recomputed layer see the same. One random number serves four places, 16 bits each. */
static void drop_row(const en_run *r, int32_t w, int32_t t, float *x, int32_t cols) {
  const uint32_t below = (uint32_t)(r->lora_drop * 65536.0f + 0.5f);
  const float grow = 1 / (1 - r->lora_drop);
  const uint64_t seed = r->lora_seed + (uint64_t)w, first = (uint64_t)t << 32;
  uint64_t bits = 0;
  for (int32_t i = 0; i < cols; i++, bits >>= 16) {
    if (i % 4 == 0) bits = en_random(seed, first + (uint64_t)(i / 4));
    x[i] = (bits & 0xFFFF) < below ? 0 : x[i] * grow;
  }
}

typedef struct { const en_run *r; const en_lora *lora; float scale; int32_t w; const float *x; size_t ldx; float *y; size_t ldy; int32_t cols, rows; } lora_job;

/* What the update sees of token t's input. */
static const float *lora_input(const lora_job *j, int32_t t) {
  const float *x = j->x + (size_t)t * j->ldx;
  if (!j->r->lora_x) return x;
  float *left = j->r->lora_x + (size_t)t * (size_t)j->cols;
  memcpy(left, x, (size_t)j->cols * sizeof *x);
  drop_row(j->r, j->w, t, left, j->cols);
  return left;
}

/* u = A x, then y += scale * B u, for tokens [lo, hi). */
static void lora_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const lora_job *j = ctx;
  const en_lora *l = j->lora;
  for (int32_t t = lo; t < hi; t++) {
    const float *x = lora_input(j, t);
    float *u = j->r->lora_u + (size_t)t * EN_LORA_MAX_RANK;
    for (int32_t i = 0; i < l->rank; i++) u[i] = j->r->k->dot(l->a + (size_t)i * (size_t)j->cols, x, j->cols);
    if (!j->y) continue;
    for (int32_t i = 0; i < l->rank; i++) j->r->k->axpy(j->y + (size_t)t * j->ldy, l->b + (size_t)i * (size_t)j->rows, j->scale * u[i], j->rows);
  }
}

static void add_lora(const en_run *r, const en_step *s) {
  for (int32_t i = 0; i < r->n_lora; i++) {
    const en_lora *l = &r->lora[i][s->w];
    if (!l->rank) continue;
    const lora_job job = {r, l, l->scale * r->lora_scale[i], s->w, r->slot[s->in], en_slot_width(r, s->in), r->slot[s->out], en_slot_width(r, s->out), r->w[s->w].cols, r->w[s->w].rows};
    en_rows_parallel(r, lora_rows, &job);
  }
}

int32_t en_linear_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  enum { MOST = 4 };
  en_out outs[MOST];
  int32_t n = 0;
  while (n < MOST && n < n_steps && step[n].op == EN_OP_LINEAR && step[n].in == step[0].in) {
    const en_step *s = &step[n];
    outs[n++] = (en_out){&r->w[s->w], r->slot[s->out], en_slot_width(r, s->out), en_vector(r, s->b), s->add};
    if (s->out == s->in) break; /* what follows would read the new value */
  }
  en_matmul(r->k, r->host, r->slot[step->in], en_slot_width(r, step->in), r->T, outs, n, r->scratch);
  for (int32_t i = 0; i < n; i++) add_lora(r, &step[i]);
  return n;
}

/* du = scale B^T dy; dB += scale u dy^T; dA += du x^T; dx += A^T du. One unit is one rank: each owns its rows of dA and dB. */
typedef struct { const en_back *b; const en_lora *lora, *grad; float scale; const float *x, *dy; size_t ldx, ldy; int32_t cols, rows; } lora_back_job;

static void lora_back_ranks(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const lora_back_job *j = ctx;
  const en_run *r = j->b->r;
  for (int32_t i = lo; i < hi; i++)
    for (int32_t t = 0; t < r->T; t++) {
      const float *dy = j->dy + (size_t)t * j->ldy, *x = j->x + (size_t)t * j->ldx, *b = j->lora->b + (size_t)i * (size_t)j->rows;
      const float du = j->scale * r->k->dot(b, dy, j->rows), u = r->lora_u[(size_t)t * EN_LORA_MAX_RANK + (size_t)i];
      j->b->du[(size_t)t * EN_LORA_MAX_RANK + (size_t)i] = du;
      if (j->grad && j->grad->b) r->k->axpy(j->grad->b + (size_t)i * (size_t)j->rows, dy, j->scale * u, j->rows);
      if (j->grad && j->grad->a) r->k->axpy(j->grad->a + (size_t)i * (size_t)j->cols, x, du, j->cols);
    }
}

static void lora_back(const en_back *b, const en_step *s, const en_lora *l, float scale, const en_lora *grad) {
  const en_run *r = b->r;
  const int32_t cols = r->w[s->w].cols, rows = r->w[s->w].rows;
  const lora_job again = {r, l, scale, s->w, r->slot[s->in], en_slot_width(r, s->in), NULL, 0, cols, rows}; /* u is cheaper to repeat than to keep */
  const float *x = r->lora_x ? r->lora_x : r->slot[s->in]; /* filled by lora_rows */
  const lora_back_job job = {b, l, grad, scale, x, b->d[s->out], r->lora_x ? (size_t)cols : en_slot_width(r, s->in), en_slot_width(r, s->out), cols, rows};
  en_rows_parallel(r, lora_rows, &again);
  en_parallel(r->host, lora_back_ranks, &job, l->rank, 1);
  if (!b->need_in) return;
  for (int32_t t = 0; t < r->T; t++) {
    float *dx = r->lora_x ? r->lora_x + (size_t)t * (size_t)cols : en_grad_row(b, s->in, t);
    if (r->lora_x) memset(dx, 0, (size_t)cols * sizeof *dx);
    for (int32_t i = 0; i < l->rank; i++) r->k->axpy(dx, l->a + (size_t)i * (size_t)cols, b->du[(size_t)t * EN_LORA_MAX_RANK + (size_t)i], cols);
    if (!r->lora_x) continue;
    drop_row(r, s->w, t, dx, cols);
    r->k->add(en_grad_row(b, s->in, t), en_grad_row(b, s->in, t), dx, cols);
  }
}

/* dy as the product with the frozen matrix wants it. Where it is used up by this step, in its place. */
static const float *frozen_factor(const en_back *b, const en_step *step) {
  float *dy = b->d[step->out], *to = step->add ? b->narrowed : dy;
  if (!en_narrows(&b->r->w[step->w])) return dy;
  en_narrow_row(to, dy, (size_t)b->r->T * en_slot_width(b->r, step->out));
  return to;
}

/* dx += W^T dy;  dW += dy x^T;  db += dy */
void en_linear_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  for (int32_t i = 0; i < r->n_lora; i++)
    if (r->lora[i][step->w].rank) lora_back(b, step, &r->lora[i][step->w], r->lora[i][step->w].scale * r->lora_scale[i], i == 0 && b->dlora ? &b->dlora[step->w] : NULL);
  float *dw = en_grad_weight(b, step->w), *db = en_grad_weight(b, step->b);
  if (dw) en_matmul_outer(r->k, r->host, &r->w[step->w], b->d[step->out], en_slot_width(r, step->out), r->slot[step->in], en_slot_width(r, step->in), dw, r->T);
  for (int32_t t = 0; db && t < r->T; t++) r->k->add(db, db, en_grad_row(b, step->out, t), (int32_t)en_slot_width(r, step->out));
  if (b->need_in)
    en_matmul_t(r->k, r->host, &r->w[step->w], frozen_factor(b, step), en_slot_width(r, step->out), b->d[step->in], en_slot_width(r, step->in), r->T, r->scratch);
  if (!step->add) en_grad_clear(b, step->out);
}
