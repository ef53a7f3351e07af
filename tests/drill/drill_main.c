/* drill_main.c - a model of the toy architecture in the toy weight type on the toy kernels against plain double arithmetic. */
#include "../unit/tiny_model.h"

enum { L = 2, D = 64, F = 32, V = 48, T = 3 };

static bytes_t toy_gguf(const en_type *t) {
  static const unsigned char zero[32];
  bytes_t b = {0};
  tensors_t w = {.seed = 7};
  char name[64];
  add_tensor(&w, "token_embd.weight", t, 2, D, V, 0, 1);
  for (int l = 0; l < L; l++) {
    const struct { const char *name; uint32_t cols, rows; } m[] = {{"gate", D, F}, {"up", D, F}, {"down", F, D}};
    for (int i = 0; i < 3; i++) {
      snprintf(name, sizeof name, "blk.%d.%s.weight", l, m[i].name);
      add_tensor(&w, name, t, 2, m[i].cols, m[i].rows, 0, 0.2f);
    }
  }
  put(&b, "GGUF", 4);
  put_u32(&b, 3);
  put_u64(&b, w.n_tensors);
  put_u64(&b, 8);
  kv_str(&b, "general.architecture", "toy");
  kv_u32(&b, "toy.block_count", L);
  kv_u32(&b, "toy.embedding_length", D);
  kv_u32(&b, "toy.context_length", 64);
  kv_u32(&b, "toy.feed_forward_length", F);
  kv_u32(&b, "toy.attention.head_count", 2);
  kv_u32(&b, "toy.vocab_size", V);
  kv_f32(&b, "toy.attention.layer_norm_rms_epsilon", 1e-5f);
  put(&b, w.infos.p, w.infos.n);
  put(&b, zero, (32 - b.n % 32) % 32);
  put(&b, w.data.p, w.data.n);
  free(w.infos.p);
  free(w.data.p);
  return b;
}

/* y = W x from the plain blocks of the file. */
static void product(double *y, const bytes_t *file, const en_gguf *g, const en_type *t, const char *name, const double *x, int add) {
  const en_gguf_tensor *tensor = en_gguf_find_tensor(g, name);
  float row[D];
  for (uint64_t r = 0; r < tensor->ne[1]; r++) {
    t->decode(row, file->p + g->data_offset + tensor->offset + tensor->n_bytes / tensor->ne[1] * r, (int64_t)tensor->ne[0]);
    double sum = add ? y[r] : 0;
    for (uint64_t c = 0; c < tensor->ne[0]; c++) sum += (double)row[c] * x[c];
    y[r] = sum;
  }
}

int main(void) {
  const en_type *t = en_type_by_name("toy8");
  const int32_t ids[T] = {3, 47, 11};
  CHECK(t && t->id == 9);
  if (!t) return test_end();
  bytes_t file = toy_gguf(t);
  en_gguf g;
  en_why why = {{0}};
  CHECK_EQ(en_gguf_scan(&g, file.p, file.n, &why), EN_OK);
  void *index = malloc(en_gguf_bytes(&g)), *mem;
  CHECK_EQ(en_gguf_index(&g, index, en_gguf_bytes(&g), &why), EN_OK);
  loaded_t l = load_model(file.p, file.n, 100, "toy", &why);
  CHECK(l.m && !strcmp(en_model_kernels(l.m), "toy"));
  if (!l.m) { printf("%s\n", why.text); return test_end(); }
  const en_session_spec spec = {.n_ctx = 8, .n_logits = T};
  const uint8_t want[T] = {1, 1, 1};
  en_session *s = open_session(l.m, &spec, NULL, &mem);
  CHECK_EQ(en_eval(s, &(en_batch){T, ids, NULL, want}, &why), EN_OK);
  for (uint32_t i = 0; i < T; i++) {
    double x[D], gate[F], up[F], logits[V];
    float row[D];
    const en_gguf_tensor *e = en_gguf_find_tensor(&g, "token_embd.weight");
    t->decode(row, file.p + g.data_offset + e->offset + e->n_bytes / V * (uint64_t)ids[i], D);
    for (int j = 0; j < D; j++) x[j] = (double)row[j];
    for (int layer = 0; layer < L; layer++) {
      char name[64];
      snprintf(name, sizeof name, "blk.%d.gate.weight", layer);
      product(gate, &file, &g, t, name, x, 0);
      snprintf(name, sizeof name, "blk.%d.up.weight", layer);
      product(up, &file, &g, t, name, x, 0);
      for (int j = 0; j < F; j++) gate[j] = gate[j] / (1 + exp(-gate[j])) * up[j];
      snprintf(name, sizeof name, "blk.%d.down.weight", layer);
      product(x, &file, &g, t, name, gate, 1);
    }
    product(logits, &file, &g, t, "token_embd.weight", x, 0);
    for (int j = 0; j < V; j++) CHECK_NEAR(en_logits(s, i)[j], logits[j], 1e-5 * (1 + fabs(logits[j])));
  }
  free(mem);
  free(index);
  free(file.p);
  unload_model(&l);
  return test_end();
}
