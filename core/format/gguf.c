/* gguf.c - check a head, index it, look things up. */
#include "gguf_walk.h"

enum { LONG_ARRAY = 4096 /* bytes of a string array that are worth remembering */ };

/* ---- scan ---- */

static int32_t scan_header(en_gguf *g, en_gguf_walk *w) {
  const uint64_t n = EN_MIN(w->n, 4);
  if (n && memcmp(w->head, "GGUF", (size_t)n) != 0) return en_fail(w->why, EN_E_FORMAT, "this is not a GGUF file: it does not begin with \"GGUF\"");
  if (w->n >= 8) { /* judged before the counts, which mean nothing in another version */
    g->version = en_rd32(w->head + 4);
    if (g->version != 0 && (g->version & 0xffff) == 0) return en_fail(w->why, EN_E_UNSUPPORTED, "the file is big-endian GGUF; convert it to little-endian");
    if (g->version < 2) return en_fail(w->why, EN_E_UNSUPPORTED, "GGUF version %u is too old; versions 2 and 3 are supported", g->version);
    if (g->version > 3) return en_fail(w->why, EN_E_UNSUPPORTED, "GGUF version %u is not supported; versions 2 and 3 are", g->version);
  }
  if (w->n < EN_GGUF_HEADER_BYTES) return en_fail(w->why, EN_E_MORE, "the head of the file goes on past the %z bytes given", w->n);
  g->n_tensors = en_rd64(w->head + 8);
  g->n_kv = en_rd64(w->head + 16);
  if (g->n_tensors > EN_GGUF_MAX_TENSORS) return en_fail(w->why, EN_E_FORMAT, "the file claims %z tensors, more than %d", g->n_tensors, EN_GGUF_MAX_TENSORS);
  if (g->n_kv > EN_GGUF_MAX_KV) return en_fail(w->why, EN_E_FORMAT, "the file claims %z keys, more than %d", g->n_kv, EN_GGUF_MAX_KV);
  w->at = EN_GGUF_HEADER_BYTES;
  return EN_OK;
}

static int32_t scan_alignment(en_gguf *g, const en_gguf_kv *kv, en_why *why) {
  if (!en_str_is(kv->key, kv->key_bytes, "general.alignment")) return EN_OK;
  if (kv->value.type != EN_GGUF_U32) return en_fail(why, EN_E_FORMAT, "general.alignment must be of type u32");
  g->alignment = en_rd32(kv->value.at);
  if (g->alignment == 0 || g->alignment > EN_GGUF_MAX_ALIGNMENT || (g->alignment & (g->alignment - 1)))
    return en_fail(why, EN_E_FORMAT, "general.alignment is %u, not a power of two up to %d", g->alignment, EN_GGUF_MAX_ALIGNMENT);
  return EN_OK;
}

static int32_t scan_kv(en_gguf *g, en_gguf_walk *w) {
  int32_t n_skips = 0;
  g->alignment = 32;
  for (uint64_t i = 0; i < g->n_kv; i++) {
    en_gguf_kv kv;
    EN_TRY(en_gguf_next_kv(w, NULL, &kv));
    EN_TRY(scan_alignment(g, &kv, w->why));
    const uint64_t from = (uint64_t)(kv.value.at - w->head);
    if (kv.value.type != EN_GGUF_ARR || kv.value.elem_type != EN_GGUF_STR || w->at - from < LONG_ARRAY || n_skips == EN_GGUF_SKIPS) continue;
    g->skips[n_skips].from = from;
    g->skips[n_skips++].to = w->at;
  }
  return EN_OK;
}

/* Room for n bytes in the data part; 1 on success. */
static int pad(uint64_t n, uint64_t alignment, uint64_t *out) {
  if (!en_add_u64(n, alignment - 1, out)) return 0;
  *out &= ~(alignment - 1);
  return *out <= INT64_MAX;
}

static int32_t scan_tensors(en_gguf *g, en_gguf_walk *w) {
  uint64_t next = 0, bytes_of[64] = {0};
  g->main_type = -1;
  for (uint64_t i = 0; i < g->n_tensors; i++) {
    en_gguf_tensor t;
    EN_TRY(en_gguf_next_tensor(w, &t));
    const size_t n = t.name_bytes;
    const char *name = (const char *)t.name;
    if (t.offset != next) return en_fail(w->why, EN_E_FORMAT, "tensor %S begins at %z of the data, expected at %z", n, name, t.offset, next);
    if (!en_add_u64(next, t.n_bytes, &g->file_bytes) || !pad(g->file_bytes, g->alignment, &next)) return en_fail(w->why, EN_E_FORMAT, "the tensors up to %S have more bytes than can be counted", n, name);
    if (!en_add_u64(g->n_params, t.n_elems, &g->n_params)) return en_fail(w->why, EN_E_FORMAT, "the tensors up to %S have more elements than can be counted", n, name);
    g->types |= (uint64_t)1 << t.type;
    bytes_of[t.type] += t.n_bytes;
    if (g->main_type < 0 || bytes_of[t.type] > bytes_of[g->main_type]) g->main_type = t.type;
  }
  return EN_OK;
}

/* The data part begins at the next multiple of the alignment; a file without tensors has none. */
static int32_t scan_data(en_gguf *g, en_gguf_walk *w) {
  g->data_offset = w->at;
  if (g->n_tensors && !pad(w->at, g->alignment, &g->data_offset)) return EN_E_FORMAT;
  if (g->data_offset > w->n) return en_fail(w->why, EN_E_MORE, "the head of the file goes on past the %z bytes given", w->n);
  if (!en_add_u64(g->file_bytes, g->data_offset, &g->file_bytes) || g->file_bytes > INT64_MAX) return en_fail(w->why, EN_E_FORMAT, "the tensors have more bytes than can be counted");
  return EN_OK;
}

int32_t en_gguf_scan(en_gguf *out, const void *head, size_t n_bytes, en_why *why) {
  en_gguf g = {.head = head, .n_bytes = n_bytes};
  en_gguf_walk w = {head, 0, n_bytes, why};
  EN_TRY(scan_header(&g, &w));
  EN_TRY(scan_kv(&g, &w));
  EN_TRY(scan_tensors(&g, &w));
  EN_TRY(scan_data(&g, &w));
  *out = g;
  return EN_OK;
}

/* ---- index: both tables in file order, and their order by name. Sorting, not hashing, so that no choice of names makes it slow. ---- */

typedef struct { const uint8_t *at; uint64_t n; } name_t;

static name_t name_of(const en_gguf *g, int tensors, uint32_t i) {
  return tensors ? (name_t){g->tensors[i].name, g->tensors[i].name_bytes} : (name_t){g->kv[i].key, g->kv[i].key_bytes};
}

/* Any total order will do; by length first saves most byte comparisons. */
static int compare(name_t a, name_t b) {
  if (a.n != b.n) return a.n < b.n ? -1 : 1;
  return memcmp(a.at, b.at, (size_t)a.n);
}

static void sift_down(const en_gguf *g, int tensors, uint32_t *order, uint32_t root, uint32_t n) {
  const uint32_t moved = order[root];
  const name_t name = name_of(g, tensors, moved);
  for (uint32_t child; (child = 2 * root + 1) < n; root = child) {
    if (child + 1 < n && compare(name_of(g, tensors, order[child + 1]), name_of(g, tensors, order[child])) > 0) child++;
    if (compare(name_of(g, tensors, order[child]), name) <= 0) break;
    order[root] = order[child];
  }
  order[root] = moved;
}

static void sort_names(const en_gguf *g, int tensors, uint32_t *order, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) order[i] = i;
  for (uint32_t i = n / 2; i-- > 0;) sift_down(g, tensors, order, i, n);
  for (uint32_t i = n; i-- > 1;) {
    const uint32_t largest = order[0];
    order[0] = order[i];
    order[i] = largest;
    sift_down(g, tensors, order, 0, i);
  }
}

static int32_t check_unique(const en_gguf *g, int tensors, const uint32_t *order, uint64_t n, en_why *why) {
  for (uint64_t i = 1; i < n; i++) {
    const name_t a = name_of(g, tensors, order[i - 1]);
    if (compare(a, name_of(g, tensors, order[i])) == 0)
      return en_fail(why, EN_E_FORMAT, "%s %S occurs twice", tensors ? "tensor" : "key", (size_t)a.n, (const char *)a.at);
  }
  return EN_OK;
}

/* Position in the table of that name, -1: absent. */
static int64_t position(const en_gguf *g, int tensors, const char *name) {
  const name_t wanted = {(const uint8_t *)name, strlen(name)};
  const uint32_t *order = tensors ? g->tensor_order : g->kv_order;
  uint64_t lo = 0, hi = tensors ? g->n_tensors : g->n_kv;
  while (lo < hi) {
    const uint64_t mid = lo + (hi - lo) / 2;
    const int c = compare(wanted, name_of(g, tensors, order[mid]));
    if (c == 0) return order[mid];
    if (c < 0) hi = mid;
    else lo = mid + 1;
  }
  return -1;
}

static size_t carve(en_gguf *g, void *mem) {
  const en_piece pieces[] = {
    {(void **)&g->kv, g->n_kv, sizeof *g->kv},
    {(void **)&g->tensors, g->n_tensors, sizeof *g->tensors},
    {(void **)&g->kv_order, g->n_kv, sizeof *g->kv_order},
    {(void **)&g->tensor_order, g->n_tensors, sizeof *g->tensor_order},
  };
  return en_carve(pieces, EN_COUNT(pieces), mem);
}

size_t en_gguf_bytes(const en_gguf *scanned) {
  en_gguf g = *scanned;
  return carve(&g, NULL);
}

int32_t en_gguf_index(en_gguf *out, void *mem, size_t mem_bytes, en_why *why) {
  en_gguf g = *out;
  en_gguf_walk w = {g.head, EN_GGUF_HEADER_BYTES, g.n_bytes, why};
  const size_t need = en_gguf_bytes(out);
  if (!mem || !need || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "the index of the head needs %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  carve(&g, mem);
  for (uint64_t i = 0; i < g.n_kv; i++) EN_TRY(en_gguf_next_kv(&w, out, &g.kv[i]));
  for (uint64_t i = 0; i < g.n_tensors; i++) EN_TRY(en_gguf_next_tensor(&w, &g.tensors[i]));
  sort_names(&g, 0, g.kv_order, (uint32_t)g.n_kv);
  sort_names(&g, 1, g.tensor_order, (uint32_t)g.n_tensors);
  EN_TRY(check_unique(&g, 0, g.kv_order, g.n_kv, why));
  EN_TRY(check_unique(&g, 1, g.tensor_order, g.n_tensors, why));
  *out = g;
  return EN_OK;
}

/* ---- look-up ---- */

const en_value *en_gguf_find(const en_gguf *g, const char *key) {
  const int64_t i = g->kv ? position(g, 0, key) : -1;
  return i < 0 ? NULL : &g->kv[i].value;
}

const en_gguf_tensor *en_gguf_find_tensor(const en_gguf *g, const char *name) {
  const int64_t i = g->tensors ? position(g, 1, name) : -1;
  return i < 0 ? NULL : &g->tensors[i];
}

int en_gguf_get(const en_gguf *g, const char *key, en_value *out) {
  if (g->kv) {
    const en_value *v = en_gguf_find(g, key);
    if (v) *out = *v;
    return v != NULL;
  }
  en_gguf_walk w = {g->head, EN_GGUF_HEADER_BYTES, g->n_bytes, NULL};
  en_gguf_kv kv;
  for (uint64_t i = 0; i < g->n_kv && en_gguf_next_kv(&w, g, &kv) == EN_OK; i++)
    if (en_str_is(kv.key, kv.key_bytes, key)) {
      *out = kv.value;
      return 1;
    }
  return 0;
}
