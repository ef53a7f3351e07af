/* imatrix.c - see imatrix.h. Source of the format: llama.cpp (tools/imatrix), restated. */
#include "imatrix.h"
#include "../core/quant/quant.h"
#include <math.h>
#include <stdlib.h>

static const char SUMS[] = ".in_sum2", COUNTS[] = ".counts";

static const en_gguf_tensor *find(const en_gguf *g, const char *name, size_t n, const char *end) {
  char whole[EN_GGUF_MAX_NAME + 1];
  if (n + strlen(end) > EN_GGUF_MAX_NAME) return NULL;
  memcpy(whole, name, n);
  strcpy(whole + n, end);
  return en_gguf_find_tensor(g, whole);
}

/* Sums become means, in place. Where nothing was counted everything is equally important. */
static int32_t divide(const imatrix *m, const en_gguf_tensor *sums, const en_gguf_tensor *counts, en_why *why) {
  const size_t n = sums->name_bytes;
  const char *name = (const char *)sums->name;
  if (sums->type != EN_F32 || !counts || counts->type != EN_F32 || counts->n_elems == 0 || sums->n_elems % counts->n_elems) return en_fail(why, EN_E_FORMAT, "%S has no counts that fit it", n, name);
  uint8_t *data = m->file + m->g.data_offset + sums->offset;
  const uint8_t *by = m->file + m->g.data_offset + counts->offset;
  const uint64_t cols = sums->n_elems / counts->n_elems;
  for (uint64_t i = 0; i < sums->n_elems; i++) {
    const float sum = en_rdf32(data + 4 * i), count = en_rdf32(by + 4 * (i / cols)), mean = count > 0 ? sum / count : 1;
    if (!(mean >= 0) || !isfinite(mean)) return en_fail(why, EN_E_NUMERIC, "%S has a number that is negative or not finite", n, name);
    memcpy(data + 4 * i, &mean, 4);
  }
  return EN_OK;
}

static int32_t read_file(imatrix *m, size_t n, en_why *why) {
  EN_TRY(en_gguf_scan(&m->g, m->file, n, why) == EN_E_MORE ? en_fail(why, EN_E_FORMAT, "the file ends in the middle of its head") : en_gguf_scan(&m->g, m->file, n, why));
  if (m->g.file_bytes > n) return en_fail(why, EN_E_FORMAT, "the file ends after %z bytes, it should have %z", (uint64_t)n, m->g.file_bytes);
  if (m->g.alignment % sizeof(float)) return en_fail(why, EN_E_UNSUPPORTED, "its numbers are not aligned");
  m->index = cli_alloc(en_gguf_bytes(&m->g));
  EN_TRY(en_gguf_index(&m->g, m->index, m->index ? en_gguf_bytes(&m->g) : 0, why));
  uint64_t n_sums = 0;
  for (uint64_t i = 0; i < m->g.n_tensors; i++) {
    const en_gguf_tensor *t = &m->g.tensors[i];
    const size_t end = sizeof SUMS - 1;
    if (t->name_bytes <= end || memcmp(t->name + t->name_bytes - end, SUMS, end)) continue;
    n_sums++;
    EN_TRY(divide(m, t, find(&m->g, (const char *)t->name, t->name_bytes - end, COUNTS), why));
  }
  return n_sums ? EN_OK : en_fail(why, EN_E_FORMAT, "it holds no importance");
}

int32_t imatrix_open(imatrix *m, const char *path, en_why *why) {
  size_t n;
  *m = (imatrix){0};
  char *file = cli_read_file(path, &n);
  m->file = (unsigned char *)file;
  const int32_t status = file ? read_file(m, n, why) : en_fail(why, EN_E_ARG, "it cannot be read");
  if (status != EN_OK) imatrix_close(m);
  return status;
}

void imatrix_close(imatrix *m) {
  free(m->index);
  free(m->file);
  *m = (imatrix){0};
}

int32_t imatrix_find(const imatrix *m, const en_gguf_tensor *t, const float **out, en_why *why) {
  const en_gguf_tensor *sums = m->file ? find(&m->g, (const char *)t->name, t->name_bytes, SUMS) : NULL;
  *out = NULL;
  if (!sums) return EN_OK;
  if (sums->ne[0] != t->ne[0] || sums->n_elems / sums->ne[0] != t->ne[2] * t->ne[3]) return en_fail(why, EN_E_FORMAT, "the importance of %S is for another shape", (size_t)t->name_bytes, (const char *)t->name);
  *out = (const float *)(const void *)(m->file + m->g.data_offset + sums->offset);
  return EN_OK;
}
