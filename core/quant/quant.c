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
enum { MAX_FIELDS = 8, TILE_BYTES = 8192 /* of packed output: stays in the first-level cache while 16 rows are spread over it */ };
typedef struct { int32_t at /* byte in the plain block */, count, unit; } field;
typedef struct { field fields[MAX_FIELDS]; int32_t n; } block_map;

/* "1h4w" -> {0, 1, 2}, {2, 4, 4} */
static block_map map_of(const en_type *t) {
  block_map m = {.n = 0};
  int32_t at = 0;
  for (const char *s = t->fields; *s && m.n < MAX_FIELDS; m.n++) {
    field f = {.at = at};
    for (; *s >= '0' && *s <= '9'; s++) f.count = f.count * 10 + (*s - '0');
    f.unit = *s++ == 'h' ? 2 : 4;
    at += f.count * f.unit;
    m.fields[m.n] = f;
  }
  return m;
}

/* `count` units one after another -> the same units EN_R apart. The sizes are constants so that each copy is one move. */
static void spread(uint8_t *dst, const uint8_t *src, int32_t count, int32_t unit) {
  if (unit == 4)
    for (int32_t k = 0; k < count; k++) memcpy(dst + k * 4 * EN_R, src + k * 4, 4);
  else
    for (int32_t k = 0; k < count; k++) memcpy(dst + k * 2 * EN_R, src + k * 2, 2);
}
static void gather(uint8_t *dst, const uint8_t *src, int32_t count, int32_t unit) {
  if (unit == 4)
    for (int32_t k = 0; k < count; k++) memcpy(dst + k * 4, src + k * 4 * EN_R, 4);
  else
    for (int32_t k = 0; k < count; k++) memcpy(dst + k * 2, src + k * 2 * EN_R, 2);
}

/* Blocks [b0, b1) of one plain row, into its places in a packed group. */
static void spread_row(const en_type *t, const block_map *m, uint8_t *group, const uint8_t *row, int32_t r, int32_t b0, int32_t b1) {
  const size_t size = (size_t)t->block_bytes;
  const field *f = m->fields;
  if (m->n == 1) { /* blocks of one field are a single run of units */
    spread(group + (size_t)b0 * size * EN_R + r * f->unit, row + (size_t)b0 * size, (b1 - b0) * f->count, f->unit);
    return;
  }
  for (int32_t b = b0; b < b1; b++)
    for (int32_t i = 0; i < m->n; i++)
      spread(group + ((size_t)b * size + (size_t)f[i].at) * EN_R + r * f[i].unit, row + (size_t)b * size + f[i].at, f[i].count, f[i].unit);
}

void en_pack_group(const en_type *t, void *rows, int32_t n_blocks, void *scratch) {
  const block_map m = map_of(t);
  const size_t row_bytes = (size_t)n_blocks * (size_t)t->block_bytes;
  const int32_t tile = EN_MAX(1, TILE_BYTES / (EN_R * t->block_bytes));
  memcpy(scratch, rows, EN_R * row_bytes);
  for (int32_t b0 = 0; b0 < n_blocks; b0 += tile)
    for (int32_t r = 0; r < EN_R; r++)
      spread_row(t, &m, rows, (const uint8_t *)scratch + (size_t)r * row_bytes, r, b0, EN_MIN(n_blocks, b0 + tile));
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
    for (int32_t i = 0; i < m.n; i++) gather(dst + f[i].at, src + f[i].at * EN_R + r * f[i].unit, f[i].count, f[i].unit);
}
