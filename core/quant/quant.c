/* quant.c - the list of weight types, and packing: 16 plain rows <-> one row-interleaved group (layout in quant.h). */
#include "quant.h"

static const en_type *const types[] = {
#define EN_TYPE(name) &en_type_##name,
#include "quant.def"
#undef EN_TYPE
};

const en_type *en_type_at(int32_t i) { return i >= 0 && i < EN_COUNT(types) ? types[i] : NULL; }

const en_type *en_type_by_id(int32_t id) {
  for (int32_t i = 0; i < EN_COUNT(types); i++)
    if (types[i]->id == id) return types[i];
  return NULL;
}

static char upper(char c) { return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c); }

static int same_name(const char *a, const char *b) {
  while (*a && upper(*a) == upper(*b)) {
    a++;
    b++;
  }
  return upper(*a) == upper(*b);
}

const en_type *en_type_by_name(const char *name) {
  if (!name) return NULL;
  for (int32_t i = 0; i < EN_COUNT(types); i++)
    if (same_name(types[i]->name, name)) return types[i];
  return NULL;
}

/* ---- packing ---- */
enum { MAX_FIELDS = 32 };
typedef struct { int32_t from, to /* first byte in the plain block and in the packed one, per row */, count, unit; } field;
typedef struct { field fields[MAX_FIELDS]; int32_t n; } block_map;

static int32_t number(const char **s) {
  int32_t n = 0;
  for (; **s >= '0' && **s <= '9'; ++*s) n = n * 10 + (**s - '0');
  return n;
}

/* "1h4w" -> {0, 0, 1, 2}, {2, 2, 4, 4}; "4w@2 1h@0" -> {2, 0, 4, 4}, {0, 16, 1, 2} */
static block_map map_of(const en_type *t) {
  block_map m = {.n = 0};
  int32_t from = 0, to = 0;
  for (const char *s = t->fields; *s && m.n < MAX_FIELDS; m.n++) {
    field f = {.to = to, .count = number(&s)};
    f.unit = *s == 'h' ? 2 : *s == 'd' ? 8 : 4;
    s++;
    if (*s == '@') s++, from = number(&s);
    if (*s == ' ') s++;
    f.from = from;
    from += f.count * f.unit;
    to += f.count * f.unit;
    m.fields[m.n] = f;
  }
  return m;
}

/* Four words of each of 16 rows that lie `stride` bytes apart -> four times 16 words side by side. */
#if defined(__GNUC__)
typedef uint32_t words4 __attribute__((vector_size(16)));
static void spread_words(uint8_t *dst, const uint8_t *src, size_t stride) {
  for (int32_t r = 0; r < EN_R; r += 4) {
    words4 a, b, c, d;
    memcpy(&a, src + (size_t)r * stride, sizeof a);
    memcpy(&b, src + (size_t)(r + 1) * stride, sizeof b);
    memcpy(&c, src + (size_t)(r + 2) * stride, sizeof c);
    memcpy(&d, src + (size_t)(r + 3) * stride, sizeof d);
    const words4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const words4 cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    a = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    b = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    c = __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5);
    d = __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7);
    memcpy(dst + r * 4, &a, sizeof a);
    memcpy(dst + EN_R * 4 + r * 4, &b, sizeof b);
    memcpy(dst + EN_R * 8 + r * 4, &c, sizeof c);
    memcpy(dst + EN_R * 12 + r * 4, &d, sizeof d);
  }
}
#else
static void spread_words(uint8_t *dst, const uint8_t *src, size_t stride) {
  for (int32_t k = 0; k < 4; k++)
    for (int32_t r = 0; r < EN_R; r++) memcpy(dst + (k * EN_R + r) * 4, src + (size_t)r * stride + k * 4, 4);
}
#endif

/* `count` units of each of 16 rows -> the same units, the rows side by side. The sizes are constants so that each copy is one move. */
static void spread(uint8_t *dst, const uint8_t *src, size_t stride, int32_t count, int32_t unit) {
  int32_t k = 0;
  if (unit == 4) {
    for (; k + 4 <= count; k += 4) spread_words(dst + k * EN_R * 4, src + k * 4, stride);
    for (; k < count; k++)
      for (int32_t r = 0; r < EN_R; r++) memcpy(dst + (k * EN_R + r) * 4, src + (size_t)r * stride + k * 4, 4);
  }
  else if (sizeof(float) == 8 && unit == 8)
    for (; k < count; k++)
      for (int32_t r = 0; r < EN_R; r++) memcpy(dst + (k * EN_R + r) * 8, src + (size_t)r * stride + k * 8, 8);
  else
    for (; k < count; k++)
      for (int32_t r = 0; r < EN_R; r++) memcpy(dst + (k * EN_R + r) * 2, src + (size_t)r * stride + k * 2, 2);
}
static void gather(uint8_t *dst, const uint8_t *src, int32_t count, int32_t unit) {
  if (unit == 4)
    for (int32_t k = 0; k < count; k++) memcpy(dst + k * 4, src + k * 4 * EN_R, 4);
  else if (sizeof(float) == 8 && unit == 8)
    for (int32_t k = 0; k < count; k++) memcpy(dst + k * 8, src + k * 8 * EN_R, 8);
  else
    for (int32_t k = 0; k < count; k++) memcpy(dst + k * 2, src + k * 2 * EN_R, 2);
}

static void arrange(const en_type *t, uint8_t *blocks, int32_t n_blocks) {
  if (!t->arrange) return;
  for (int32_t b = 0; b < n_blocks; b++) t->arrange(blocks + (size_t)b * (size_t)t->block_bytes);
}

void en_pack_group(const en_type *t, void *rows, int32_t n_blocks, void *scratch) {
  const block_map m = map_of(t);
  const size_t size = (size_t)t->block_bytes, stride = (size_t)n_blocks * size;
  const field *f = m.fields;
  const uint8_t *src = scratch;
  uint8_t *dst = rows;
  memcpy(scratch, rows, EN_R * stride);
  arrange(t, scratch, EN_R * n_blocks);
  if (m.n == 1) { /* blocks of one field are a single run of units */
    spread(dst, src, stride, n_blocks * f->count, f->unit);
    return;
  }
  for (int32_t b = 0; b < n_blocks; b++, src += size, dst += size * EN_R)
    for (int32_t i = 0; i < m.n; i++) spread(dst + f[i].to * EN_R, src + f[i].from, stride, f[i].count, f[i].unit);
}

void en_unpack_row(const en_type *t, void *row, const void *group, int32_t r, int32_t b0, int32_t b1) {
  const block_map m = map_of(t);
  const size_t size = (size_t)t->block_bytes;
  const field *f = m.fields;
  const uint8_t *src = (const uint8_t *)group + (size_t)b0 * size * EN_R;
  uint8_t *dst = row;
  if (m.n == 1) {
    gather(dst, src + r * f->unit, (b1 - b0) * f->count, f->unit);
    return;
  }
  for (int32_t b = b0; b < b1; b++, src += size * EN_R, dst += size)
    for (int32_t i = 0; i < m.n; i++) gather(dst + f[i].from, src + f[i].to * EN_R + r * f[i].unit, f[i].count, f[i].unit);
  arrange(t, row, b1 - b0);
}
