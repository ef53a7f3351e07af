/* matmul.c - whole products: activations prepared once per form, rows (or columns) shared out over the host's lanes.
 *
 * Packed rows of a type that the table knows go straight to its product. Everything else - plain rows, types without a product - is decoded, EN_PANEL
 * columns at a time, to a packed f32 panel of 16 rows and goes through the table's f32 product, so the cost of decoding is shared by all tokens;
 * the last rows % 16 rows are decoded one by one. What a row computes does not depend on how lanes share the rows. */
#include "kernels.h"

enum {
  EN_PANEL = 512,        /* columns of a panel; every type's block divides it, and a block takes at most 4 bytes an element (a test checks) */
  EN_TAIL_T = 64,        /* tokens at a time for groups with fewer than 16 rows, transposed */
  EN_MAX_FORMS = 8,
  EN_SERIAL_MACS = 1 << 16, /* below that many multiply-adds waking the lanes costs more than it gives */
  EN_SERIAL_FILL = 1 << 14, /* elements */
  EN_T_SHARES = 2           /* shares of the columns for a lane on the way back: equal ones, and few, as each rounds the gradients anew */
};
/* What one lane needs. */
typedef struct {
  float panel[EN_PANEL * EN_R];   /* [columns][16] */
  float tail[EN_TAIL_T * EN_R];   /* [tokens][16] */
  float row[EN_PANEL];
  uint8_t blocks[EN_PANEL * sizeof(float)];
} en_lane;

const en_product *en_kernels_product(const en_kernels *k, int32_t type) {
  for (int32_t i = 0; i < k->n_products; i++)
    if (k->products[i].type == type) return &k->products[i];
  return NULL;
}

static size_t carve(const en_kernels *k, int32_t cols, int32_t T, int32_t n_lanes, void *mem, void **forms, en_lane **lanes) {
  en_piece pieces[EN_MAX_FORMS + 1];
  int32_t n = 0;
  uint64_t elements;
  void *unused[EN_MAX_FORMS], *lane_mem = NULL;
  /* Forms take at most 4 bytes an element, so this keeps form->bytes from wrapping. */
  if (cols < 0 || T < 0 || k->n_forms > EN_MAX_FORMS || !en_mul_u64((uint64_t)cols + 32, (uint64_t)T, &elements) || elements > SIZE_MAX / 8) return 0;
  for (int32_t i = 1; i < k->n_forms; i++)
    pieces[n++] = (en_piece){forms ? &forms[i] : &unused[i], k->forms[i].bytes(cols, T), 1};
  pieces[n++] = (en_piece){&lane_mem, (uint64_t)EN_MAX(n_lanes, 1), sizeof(en_lane)};
  const size_t total = en_carve(pieces, n, mem);
  if (lanes) *lanes = lane_mem;
  return total;
}

size_t en_matmul_scratch(const en_kernels *k, int32_t max_cols, int32_t max_T, int32_t n_lanes) {
  return carve(k, max_cols, max_T, n_lanes, NULL, NULL, NULL);
}

/* Columns [c0, c1) of row r into lane->row. */
static void decode_row(en_lane *lane, const en_weight *w, int32_t r, int32_t c0, int32_t c1) {
  const en_type *type = w->type;
  const size_t row_bytes = en_row_bytes(w);
  const int32_t b0 = c0 / type->block, b1 = c1 / type->block;
  const uint8_t *blocks = lane->blocks;
  if (r < w->n_packed) en_unpack_row(type, lane->blocks, w->data + (size_t)(r / EN_R * EN_R) * row_bytes, r % EN_R, b0, b1);
  else blocks = w->data + (size_t)r * row_bytes + (size_t)b0 * (size_t)type->block_bytes;
  type->decode(lane->row, blocks, c1 - c0);
}

/* Rows [r0, r0 + n), n <= 16, columns [c0, c1) of w as a packed f32 panel; missing rows are zero. */
static void fill_panel(en_lane *lane, const en_weight *w, int32_t r0, int32_t n, int32_t c0, int32_t c1) {
  if (n < EN_R) memset(lane->panel, 0, sizeof lane->panel);
  for (int32_t r = 0; r < n; r++) {
    decode_row(lane, w, r0 + r, c0, c1);
    for (int32_t c = 0; c < c1 - c0; c++) lane->panel[c * EN_R + r] = lane->row[c];
  }
}

/* ---- y = W x ---- */
typedef struct {
  const en_kernels *k;
  const en_product *dense;
  const en_out *outs;
  const float *x;
  size_t ldx;
  void *forms[EN_MAX_FORMS];
  en_lane *lanes;
  int32_t n_outs, cols, T;
} en_mul_job;

/* Row r of one output by dot products, whose bits are the same in every table. */
static void mul_row(const en_mul_job *j, const en_out *out, int32_t r, en_lane *lane) {
  for (int32_t c0 = 0; c0 < j->cols; c0 += EN_PANEL) {
    const int32_t c1 = EN_MIN(j->cols, c0 + EN_PANEL);
    decode_row(lane, out->w, r, c0, c1);
    for (int32_t t = 0; t < j->T; t++) {
      float *y = out->y + (size_t)t * out->ldy + r;
      *y = (c0 || out->add ? *y : 0) + (c0 || !out->bias ? 0 : out->bias[r]) + j->k->dot(lane->row, j->x + (size_t)t * j->ldx + c0, c1 - c0);
    }
  }
}

/* 16 rows from row r0 of one output, through panels. */
static void mul_panels(const en_mul_job *j, const en_out *out, int32_t r0, en_lane *lane) {
  for (int32_t c0 = 0; c0 < j->cols; c0 += EN_PANEL) {
    const int32_t c1 = EN_MIN(j->cols, c0 + EN_PANEL);
    fill_panel(lane, out->w, r0, EN_R, c0, c1);
    const en_mm mm = {.w = (const uint8_t *)lane->panel, .x = j->x + c0, .ldx = j->ldx, .y = out->y + r0, .ldy = out->ldy,
                      .bias = c0 || !out->bias ? NULL : out->bias + r0, .cols = c1 - c0, .T = j->T, .add = c0 ? 1 : out->add};
    j->dense->mul(&mm, 0, EN_R);
  }
}

/* Row groups [g0, g1) of one output. */
static void mul_groups(const en_mul_job *j, const en_out *out, int32_t g0, int32_t g1, en_lane *lane) {
  const en_weight *w = out->w;
  const en_product *p = en_kernels_product(j->k, w->type->id);
  const int32_t packed = p ? EN_MIN(w->n_packed / EN_R, g1) : 0;
  if (g0 < packed) {
    const en_mm mm = {.w = w->data, .x = p->form ? j->forms[p->form] : j->x, .ldx = j->ldx, .y = out->y, .ldy = out->ldy,
                      .bias = out->bias, .cols = j->cols, .T = j->T, .add = out->add};
    p->mul(&mm, g0 * EN_R, packed * EN_R);
    g0 = packed;
  }
  for (int32_t g = g0; g < g1; g++) {
    if ((g + 1) * EN_R <= w->rows) mul_panels(j, out, g * EN_R, lane);
    else
      for (int32_t r = g * EN_R; r < w->rows; r++) mul_row(j, out, r, lane);
  }
}

static int32_t n_groups(const en_weight *w) { return w->rows / EN_R + (w->rows % EN_R != 0); }

/* Groups [lo, hi) of all outputs' groups one after another. */
static void mul_job(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_mul_job *j = ctx;
  int32_t first = 0;
  for (int32_t i = 0; i < j->n_outs && first < hi; i++) {
    const int32_t n = n_groups(j->outs[i].w), g0 = EN_MAX(lo - first, 0), g1 = EN_MIN(hi - first, n);
    if (g0 < g1) mul_groups(j, &j->outs[i], g0, g1, &j->lanes[lane]);
    first += n;
  }
}

typedef struct { const en_mul_job *j; int32_t form; } en_fill_job;

static void fill_job(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_fill_job *f = ctx;
  const en_mul_job *j = f->j;
  (void)lane;
  j->k->forms[f->form].fill(j->forms[f->form], j->x, j->ldx, j->cols, j->T, lo, hi);
}

/* Prepare each form that some packed output needs. */
static void fill_forms(const en_mul_job *j, const en_host *host) {
  for (int32_t form = 1; form < j->k->n_forms; form++) {
    int needed = 0;
    for (int32_t i = 0; i < j->n_outs; i++) {
      const en_product *p = en_kernels_product(j->k, j->outs[i].w->type->id);
      needed |= p && p->form == form && j->outs[i].w->n_packed > 0;
    }
    const en_fill_job f = {j, form};
    const int small = (int64_t)j->T * j->cols < EN_SERIAL_FILL;
    if (needed) en_parallel(small ? NULL : host, fill_job, &f, j->T, EN_T_TILE);
  }
}

void en_matmul(const en_kernels *k, const en_host *host, const float *x, size_t ldx, int32_t T, const en_out *outs, int32_t n_outs, void *scratch) {
  if (T <= 0 || n_outs <= 0) return;
  en_mul_job j = {.k = k, .dense = en_kernels_product(k, EN_F32), .outs = outs, .x = x, .ldx = ldx, .n_outs = n_outs, .cols = outs[0].w->cols, .T = T};
  int32_t groups = 0;
  carve(k, j.cols, T, en_lanes(host), scratch, j.forms, &j.lanes);
  fill_forms(&j, host);
  for (int32_t i = 0; i < n_outs; i++) groups += n_groups(outs[i].w);
  const int small = (int64_t)groups * EN_R * j.cols * T < EN_SERIAL_MACS;
  en_parallel(small ? NULL : host, mul_job, &j, groups, 1);
}

/* ---- dx += dy W ---- */
void en_narrow_row(float *y, const float *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = en_narrow(x[i]);
}

typedef struct {
  const en_product *direct, *dense; /* direct: NULL when the type has no transposed product */
  const en_weight *w;
  const float *dy;
  float *dx;
  size_t lddy, lddx;
  en_lane *lanes;
  int32_t T;
} en_mul_t_job;

/* Rows [r0, r0 + n), n <= 16, columns [c0, c1), at most EN_PANEL of them. */
static void mul_t_panel(const en_mul_t_job *j, int32_t r0, int32_t n, int32_t c0, int32_t c1, en_lane *lane) {
  fill_panel(lane, j->w, r0, n, c0, c1);
  const int narrow = en_narrows(j->w);
  if (narrow) en_narrow_row(lane->panel, lane->panel, (size_t)(c1 - c0) * EN_R);
  en_mm_t mm = {.w = (const uint8_t *)lane->panel, .dy = j->dy + r0, .lddy = j->lddy, .dx = j->dx + c0, .lddx = j->lddx,
                .rows = EN_R, .cols = c1 - c0, .T = j->T};
  if (n == EN_R && !narrow) {
    j->dense->mul_t(&mm, 0, c1 - c0);
    return;
  }
  for (int32_t t = 0; t < j->T; t += EN_TAIL_T) {
    mm.T = EN_MIN(EN_TAIL_T, j->T - t);
    memset(lane->tail, 0, sizeof lane->tail);
    for (int32_t i = 0; i < mm.T; i++) memcpy(lane->tail + i * EN_R, j->dy + (size_t)(t + i) * j->lddy + r0, (size_t)n * sizeof(float));
    if (narrow) en_narrow_row(lane->tail, lane->tail, (size_t)mm.T * EN_R);
    mm.dy = lane->tail, mm.lddy = EN_R, mm.dx = j->dx + (size_t)t * j->lddx + c0;
    j->dense->mul_t(&mm, 0, c1 - c0);
  }
}

static void mul_t_job(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_mul_t_job *j = ctx;
  const en_weight *w = j->w;
  const int32_t direct = j->direct ? w->n_packed : 0;
  if (direct) {
    const en_mm_t mm = {.w = w->data, .dy = j->dy, .lddy = j->lddy, .dx = j->dx, .lddx = j->lddx, .rows = direct, .cols = w->cols, .T = j->T};
    j->direct->mul_t(&mm, lo, hi);
  }
  for (int32_t c0 = lo; c0 < hi; c0 += EN_PANEL)
    for (int32_t r = direct; r < w->rows; r += EN_R)
      mul_t_panel(j, r, EN_MIN(EN_R, w->rows - r), c0, EN_MIN(hi, c0 + EN_PANEL), &j->lanes[lane]);
}

void en_matmul_t(const en_kernels *k, const en_host *host, const en_weight *w, const float *dy, size_t lddy, float *dx, size_t lddx, int32_t T, void *scratch) {
  if (T <= 0) return;
  const en_product *p = en_kernels_product(k, w->type->id);
  en_mul_t_job j = {.direct = p && p->mul_t ? p : NULL, .dense = en_kernels_product(k, EN_F32), .w = w, .dy = dy, .dx = dx, .lddy = lddy, .lddx = lddx, .T = T};
  carve(k, w->cols, T, en_lanes(host), scratch, NULL, &j.lanes);
  const int small = (int64_t)w->rows * w->cols * T < EN_SERIAL_MACS;
  const int32_t block = EN_MAX(w->type->block, 32), n_blocks = w->cols / block, shares = EN_T_SHARES * en_lanes(host);
  en_parallel(small ? NULL : host, mul_t_job, &j, w->cols, EN_MAX(1, (n_blocks + shares - 1) / shares) * block);
}

/* ---- dw += dy^T x ---- */
typedef struct { const en_kernels *k; const en_weight *w; en_outer a; } en_outer_job;

static void outer_job(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_outer_job *j = ctx;
  const int32_t packed = EN_MIN(hi * EN_R, j->w->n_packed), end = EN_MIN(hi * EN_R, j->w->rows);
  (void)lane;
  if (lo * EN_R < packed) j->k->outer(&j->a, lo * EN_R, packed);
  for (int32_t r = EN_MAX(lo * EN_R, packed); r < end; r++)
    for (int32_t t = 0; t < j->a.T; t++)
      j->k->axpy(j->a.dw + (size_t)r * (size_t)j->a.cols, j->a.x + (size_t)t * j->a.ldx, j->a.dy[(size_t)t * j->a.lddy + (size_t)r], j->a.cols);
}

void en_matmul_outer(const en_kernels *k, const en_host *host, const en_weight *w, const float *dy, size_t lddy, const float *x, size_t ldx, float *dw, int32_t T) {
  const en_outer_job j = {k, w, {.dy = dy, .lddy = lddy, .x = x, .ldx = ldx, .dw = dw, .cols = w->cols, .T = T}};
  const int small = (int64_t)w->rows * w->cols * T < EN_SERIAL_MACS;
  if (T > 0) en_parallel(small ? NULL : host, outer_job, &j, n_groups(w), 1);
}

void en_weight_row(float *y, const en_weight *w, int32_t r, void *scratch) {
  const size_t row_bytes = en_row_bytes(w);
  const uint8_t *row = w->data + (size_t)r * row_bytes;
  if (r < w->n_packed) {
    en_unpack_row(w->type, scratch, w->data + (size_t)(r / EN_R * EN_R) * row_bytes, r % EN_R, 0, w->cols / w->type->block);
    row = scratch;
  }
  w->type->decode(y, row, w->cols);
}
