/* linear.c - out (+)= W in + b + scale B (A in); DoRA: out (+)= b + g (W in + scale B (A in)), g = m / norm. Neighbouring LINEAR steps with the same input (q, k, v; gate, up) become one product, so
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
    for (int32_t i = 0; i < l->rank; i++) {
      float *y = j->y + (size_t)t * j->ldy;
      const float *b = l->b + (size_t)i * (size_t)j->rows, by = j->scale * u[i];
      if (!l->m) j->r->k->axpy(y, b, by, j->rows);
      for (int32_t o = 0; l->m && o < j->rows; o++) y[o] += by * (l->m[o] * l->inverse[o] * b[o]);
    }
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

/* ---- DoRA: W x by itself, y (+)= b + gain W x with gain = 1 + sum of c (g - 1) over the adapters and their scales c, then their low-rank parts ---- */

enum { DORA_T = 32 /* products at a time that are to be added */ };

static size_t widest_slot(const en_config *c) {
  int64_t n = 0;
  for (int32_t s = 0; s < EN_S_LOGITS; s++) n = EN_MAX(n, en_dim_size(c, en_slot_dim((en_slot)s)));
  return (size_t)n;
}
/* One row of gains; products. LINEAR steps add to X, or H: as wide. */
size_t en_dora_floats(const en_config *c) { return widest_slot(c) + (size_t)DORA_T * (size_t)c->D; }

static int32_t has_dora(const en_run *r, const en_step *s) {
  int32_t n = 0;
  for (int32_t i = 0; i < r->n_lora; i++) n += r->lora[i][s->w].rank && r->lora[i][s->w].m && r->lora_scale[i] != 0;
  return n;
}

typedef struct { const en_run *r; const float *bias; float *z, *y; size_t ldz, ldy; int32_t rows; } gain_job;

/* z: W x, changed; y: NULL, or what it is added to. */
static void gain_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const gain_job *j = ctx;
  const en_kernels *k = j->r->k;
  (void)lane;
  for (int32_t t = lo; t < hi; t++) {
    float *z = j->z + (size_t)t * j->ldz;
    k->times(z, z, j->r->dora, j->rows);
    if (j->bias) k->add(z, z, j->bias, j->rows);
    if (j->y) k->add(j->y + (size_t)t * j->ldy, j->y + (size_t)t * j->ldy, z, j->rows);
  }
}

static void fill_gains(const en_run *r, const en_step *s) {
  const int32_t rows = r->w[s->w].rows;
  for (int32_t o = 0; o < rows; o++) r->dora[o] = 1;
  for (int32_t i = 0; i < r->n_lora; i++) {
    const en_lora *l = &r->lora[i][s->w];
    for (int32_t o = 0; l->rank && l->m && o < rows; o++) r->dora[o] += r->lora_scale[i] * (l->m[o] * l->inverse[o] - 1);
  }
}

/* The slot holds W x and nothing else. */
static void gain_in_place(const en_run *r, const en_step *s) {
  const gain_job job = {r, en_vector(r, s->b), r->slot[s->out], NULL, en_slot_width(r, s->out), 0, r->w[s->w].rows};
  fill_gains(r, s);
  en_parallel(r->host, gain_rows, &job, r->T, 1);
}

static void add_with_gain(const en_run *r, const en_step *s) {
  const size_t ldx = en_slot_width(r, s->in), ldy = en_slot_width(r, s->out);
  float *z = r->dora + widest_slot(r->c);
  fill_gains(r, s);
  for (int32_t t = 0; t < r->T; t += DORA_T) {
    const int32_t n = EN_MIN(DORA_T, r->T - t);
    const gain_job job = {r, en_vector(r, s->b), z, r->slot[s->out] + (size_t)t * ldy, ldy, ldy, r->w[s->w].rows};
    en_matmul(r->k, r->host, r->slot[s->in] + (size_t)t * ldx, ldx, n, &(en_out){&r->w[s->w], z, ldy, NULL, 0}, 1, r->scratch);
    en_parallel(r->host, gain_rows, &job, n, 1);
  }
}

int32_t en_linear_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  enum { MOST = 4 };
  en_out outs[MOST];
  int32_t dora[MOST], n = 0;
  while (n < MOST && n < n_steps && step[n].op == EN_OP_LINEAR && step[n].in == step[0].in) {
    const en_step *s = &step[n];
    dora[n] = has_dora(r, s);
    if (dora[n] && s->add) break;
    outs[n] = (en_out){&r->w[s->w], r->slot[s->out], en_slot_width(r, s->out), dora[n] ? NULL : en_vector(r, s->b), s->add};
    n++;
    if (s->out == s->in) break; /* what follows would read the new value */
  }
  if (!n) add_with_gain(r, step);
  en_matmul(r->k, r->host, r->slot[step->in], en_slot_width(r, step->in), r->T, outs, n, r->scratch);
  for (int32_t i = 0; i < n; i++)
    if (dora[i]) gain_in_place(r, &step[i]);
  n = EN_MAX(n, 1);
  for (int32_t i = 0; i < n; i++) add_lora(r, &step[i]);
  return n;
}

/* du = scale B^T dy; dB += scale u dy^T; dA += du x^T; dx += A^T du. One unit is one rank: each owns its rows of dA and dB. */
typedef struct { const en_back *b; const en_step *s; const en_lora *lora, *grad; float scale; const float *x, *dy; size_t ldx, ldy; int32_t cols, rows; } lora_back_job;

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

/* dx += A^T du for tokens [lo, hi). */
static void lora_back_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const lora_back_job *j = ctx;
  const en_run *r = j->b->r;
  const size_t cols = (size_t)j->cols;
  for (int32_t t = lo; t < hi; t++) {
    float *sum = en_grad_row(j->b, j->s->in, t), *dx = r->lora_x ? r->lora_x + (size_t)t * cols : sum;
    if (r->lora_x) memset(dx, 0, cols * sizeof *dx);
    for (int32_t i = 0; i < j->lora->rank; i++) r->k->axpy(dx, j->lora->a + (size_t)i * cols, j->b->du[(size_t)t * EN_LORA_MAX_RANK + (size_t)i], j->cols);
    if (!r->lora_x) continue;
    drop_row(r, j->s->w, t, dx, j->cols);
    r->k->add(sum, sum, dx, j->cols);
  }
}

static void lora_back(const en_back *b, const en_step *s, const float *dy, const en_lora *l, float scale, const en_lora *grad) {
  const en_run *r = b->r;
  const int32_t cols = r->w[s->w].cols, rows = r->w[s->w].rows;
  const lora_job again = {r, l, scale, s->w, r->slot[s->in], en_slot_width(r, s->in), NULL, 0, cols, rows}; /* u is cheaper to repeat than to keep */
  const float *x = r->lora_x ? r->lora_x : r->slot[s->in]; /* filled by lora_rows */
  const lora_back_job job = {b, s, l, grad, scale, x, dy, r->lora_x ? (size_t)cols : en_slot_width(r, s->in), en_slot_width(r, s->out), cols, rows};
  en_rows_parallel(r, lora_rows, &again);
  en_parallel(r->host, lora_back_ranks, &job, l->rank, 1);
  if (b->need_in) en_rows_parallel(r, lora_back_rows, &job);
}

/* What the step has put into y is b + g z with z = W x + scale B (A x), so dm += dy z / norm = dy (y - b) / m; the rest goes back as g dy. The norm is a
 * constant (Liu et al. 2024, section 4.3). */
typedef struct { const en_back *b; const en_step *s; const en_lora *lora; float *dm, *to; } dora_back_job;

static void dora_back_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const dora_back_job *j = ctx;
  const en_run *r = j->b->r;
  const size_t ld = en_slot_width(r, j->s->out);
  const float *bias = en_vector(r, j->s->b), *m = j->lora->m, *inverse = j->lora->inverse;
  (void)lane;
  for (int32_t t = 0; t < r->T; t++) {
    const float *y = j->b->out + (size_t)t * ld, *before = j->s->add ? r->slot[j->s->out] + (size_t)t * ld : NULL, *dy = en_grad_row(j->b, j->s->out, t);
    float *to = j->to + (size_t)t * ld;
    for (int32_t o = lo; o < hi; o++) {
      const float part = y[o] - (before ? before[o] : 0) - (bias ? bias[o] : 0);
      if (j->dm && m[o] != 0) j->dm[o] += dy[o] * part / m[o];
      to[o] = dy[o] * (m[o] * inverse[o]);
    }
  }
}

/* dx += W^T dy;  dW += dy x^T;  db += dy. dy is used up unless the step adds: then the way back of what it added needs a place of its own. Of several
 * adapters only the first may be one of DoRA, at scale 1. */
void en_linear_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  float *dy = b->d[step->out];
  if (has_dora(r, step)) {
    const dora_back_job job = {b, step, &r->lora[0][step->w], b->dlora ? b->dlora[step->w].m : NULL, step->add ? b->scaled : dy};
    en_parallel(r->host, dora_back_rows, &job, r->w[step->w].rows, 64);
    dy = job.to;
  }
  for (int32_t i = 0; i < r->n_lora; i++)
    if (r->lora[i][step->w].rank) lora_back(b, step, dy, &r->lora[i][step->w], r->lora[i][step->w].scale * r->lora_scale[i], i == 0 && b->dlora ? &b->dlora[step->w] : NULL);
  float *dw = en_grad_weight(b, step->w), *db = en_grad_weight(b, step->b);
  if (dw) en_matmul_outer(r->k, r->host, &r->w[step->w], b->d[step->out], en_slot_width(r, step->out), r->slot[step->in], en_slot_width(r, step->in), dw, r->T);
  for (int32_t t = 0; db && t < r->T; t++) r->k->add(db, db, en_grad_row(b, step->out, t), (int32_t)en_slot_width(r, step->out));
  if (b->need_in) en_matmul_t(r->k, r->host, &r->w[step->w], dy, en_slot_width(r, step->out), b->d[step->in], en_slot_width(r, step->in), r->T, r->scratch);
  if (!step->add) en_grad_clear(b, step->out);
}
