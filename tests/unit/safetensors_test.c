/* safetensors files and PEFT adapters: reading, writing, refusals; a published adapter against its GGUF twin. */
#include "../../core/format/safetensors.h"
#include "tiny_model.h"

/* ---- files ---- */

static size_t build(unsigned char *out, const char *head, size_t n_data) {
  const uint64_t n = strlen(head);
  memcpy(out, &n, 8);
  memcpy(out + 8, head, n);
  for (size_t i = 0; i < n_data; i++) out[8 + n + i] = (unsigned char)(i * 7);
  return 8 + n + n_data;
}

static void reads(void) {
  unsigned char file[600];
  en_safetensors s;
  en_st_tensor t;
  en_why why = {{0}};
  const char *cursor = NULL;
  size_t n = build(file, "{\"__metadata__\":{\"x\":\"y\"},\"half\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]},\"b\":{\"data_offsets\":[12,16],\"shape\":[],\"dtype\":\"F32\"},"
                         "\"i\":{\"dtype\":\"I64\",\"shape\":[0,5],\"data_offsets\":[16,16]},\"bf\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[16,20]}}", 20);
  const uint16_t half = en_f32_to_f16(-1.5f), brain = en_f32_to_bf16(3);
  memcpy(file + n - 20 + 10, &half, 2);
  memcpy(file + n - 2, &brain, 2);
  CHECK_EQ(en_safetensors_open(&s, file, n, &why), EN_OK);
  CHECK_EQ(s.n_tensors, 4);
  CHECK_EQ(s.n_elems, 9);
  int count = 0;
  while (en_safetensors_next(&s, &cursor, &t)) count++;
  CHECK_EQ(count, 4);
  float x[6];
  CHECK(en_safetensors_find(&s, "half", &t) && t.n_dims == 2 && t.shape[0] == 2 && t.shape[1] == 3);
  en_st_read(x, &t, 0, 6);
  CHECK(x[5] == -1.5f);
  CHECK(en_safetensors_find(&s, "bf", &t) && en_st_is_float(&t));
  en_st_read(x, &t, 1, 1);
  CHECK(x[0] == 3);
  CHECK(en_safetensors_find(&s, "i", &t) && !en_st_is_float(&t) && !t.n_elems);
  CHECK(!en_safetensors_find(&s, "__metadata__", &t) && !en_safetensors_find(&s, "hal", &t));
  for (size_t cut = 0; cut < n; cut++) { /* an exactly sized copy: a sanitizer sees every step too far */
    unsigned char *copy = malloc(cut ? cut : 1);
    memcpy(copy, file, cut);
    CHECK_EQ(en_safetensors_open(&s, copy, cut, &why), EN_E_FORMAT);
    free(copy);
  }
}

static void refuses(void) {
  static const struct { const char *head; size_t n_data; int32_t status; } bad[] = {
    {"[]", 0, EN_E_FORMAT}, {"{\"a\":1}", 0, EN_E_FORMAT}, {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, EN_E_FORMAT},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, EN_E_FORMAT},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, EN_E_FORMAT},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 4, EN_E_FORMAT},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, EN_E_FORMAT}, /* data that nobody owns */
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, EN_E_FORMAT},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,0]}}", 0, EN_E_FORMAT}, /* the product wraps to 0 */
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, EN_E_FORMAT},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, EN_E_FORMAT},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, EN_E_UNSUPPORTED},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, EN_E_UNSUPPORTED}};
  unsigned char file[400];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    en_safetensors s;
    en_why why = {{0}};
    const size_t n = build(file, bad[i].head, bad[i].n_data);
    test_check(en_safetensors_open(&s, file, n, &why) == bad[i].status && why.text[0], bad[i].head, __FILE__, __LINE__);
  }
}

/* ---- adapters ---- */

typedef struct { en_adapter *a; void *mem; } held_t;
static held_t fresh(const en_model *m, const en_adapter_spec *spec) {
  const size_t need = en_adapter_bytes(m, spec);
  held_t h = {NULL, aligned_alloc(EN_ALIGN, need)};
  uint64_t n;
  CHECK_EQ(en_adapter_init(&h.a, h.mem, need, m, spec, 5, NULL), EN_OK);
  float *p = flat(h.a, &n);
  for (uint64_t i = 0; i < n; i++) p[i] = (float)(en_uniform(9, i) - 0.5); /* B too */
  return h;
}

static int32_t load(held_t *h, const en_model *m, const void *file, size_t n, const char *config, en_why *why) {
  const size_t need = en_adapter_peft_bytes(m, file, n);
  *h = (held_t){NULL, aligned_alloc(EN_ALIGN, need ? need : EN_ALIGN)};
  return en_adapter_init_peft(&h->a, h->mem, need, m, file, n, config, strlen(config), why);
}

static char *config_of(const en_adapter *a, const en_peft_config *c) {
  const size_t n = en_adapter_save_peft_config(a, c, NULL, 0);
  char *text = malloc(n + 1);
  CHECK_EQ(en_adapter_save_peft_config(a, c, text, n), n);
  text[n] = 0;
  return text;
}

static void round_trip(const en_model *m, const en_adapter_spec *spec, int rslora) {
  held_t a = fresh(m, spec), b;
  en_why why = {{0}};
  uint64_t n_a, n_b;
  const size_t n = en_adapter_save_peft(a.a, NULL, 0);
  unsigned char *file = malloc(n);
  memset(file, 0x5A, n);
  CHECK_EQ(en_adapter_save_peft(a.a, file, n - 1), n);
  CHECK(file[0] == 0x5A); /* too small: untouched */
  CHECK_EQ(en_adapter_save_peft(a.a, file, n), n);
  char *config = config_of(a.a, &(en_peft_config){"some \"base\"", 0.25f, (uint32_t)rslora});
  CHECK_EQ(load(&b, m, file, n, config, &why), EN_OK);
  if (!b.a) { printf("%s\n", why.text); return; }
  const float *pa = flat(a.a, &n_a), *pb = flat(b.a, &n_b);
  CHECK_EQ(n_a, n_b);
  CHECK(!memcmp(pa, pb, n_a * sizeof *pa));
  const size_t n_gguf = en_adapter_save(a.a, NULL, 0); /* alpha and layout too: the same llama.cpp file */
  unsigned char *ga = malloc(n_gguf), *gb = malloc(n_gguf);
  CHECK_EQ(en_adapter_save(a.a, ga, n_gguf), n_gguf);
  CHECK_EQ(en_adapter_save(b.a, gb, n_gguf), n_gguf);
  CHECK(!memcmp(ga, gb, n_gguf));
  en_json c;
  double v;
  CHECK_EQ(en_json_open(&c, config, strlen(config), NULL), EN_OK);
  CHECK(en_json_is(en_json_get(c, "base_model_name_or_path"), "some \"base\""));
  CHECK(en_json_number(en_json_get(c, "lora_dropout"), &v) && v == 0.25);
  CHECK(en_json_number(en_json_get(c, "lora_alpha"), &v) && (float)v == spec->alpha);
  CHECK_EQ(en_json_kind_of(en_json_get(c, "use_rslora")), rslora ? EN_JSON_TRUE : EN_JSON_FALSE);
  CHECK_EQ(en_json_kind_of(en_json_get(c, "layers_to_transform")), spec->first_layer ? EN_JSON_ARRAY : EN_JSON_NULL);
  free(ga);
  free(gb);
  free(config);
  free(file);
  free(a.mem);
  free(b.mem);
}

/* Where q's rows of a llama model lie: head by head, the even rows of ours first. */
static void row_order(const en_model *m, int permuted) {
  const en_adapter_spec spec = {.rank = 1, .alpha = 1, .targets = EN_LORA_Q | EN_LORA_V};
  held_t a = fresh(m, &spec);
  uint32_t rank, rows;
  float *q = en_adapter_b(a.a, 0, EN_LORA_Q, &rank, &rows), *v = en_adapter_b(a.a, 0, EN_LORA_V, &rank, &rows);
  for (int i = 0; i < TINY_D; i++) q[i] = (float)i;
  for (int i = 0; i < TINY_D / 2; i++) v[i] = (float)i;
  const size_t n = en_adapter_save_peft(a.a, NULL, 0);
  unsigned char *file = malloc(n);
  en_adapter_save_peft(a.a, file, n);
  en_safetensors s;
  en_st_tensor t;
  float got[TINY_D];
  CHECK_EQ(en_safetensors_open(&s, file, n, NULL), EN_OK);
  CHECK(en_safetensors_find(&s, "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", &t));
  en_st_read(got, &t, 0, TINY_D);
  for (int i = 0; i < TINY_D; i++) { /* heads of 16: rows 0 2 4 ... 14 1 3 ... 15 */
    const int in = i % 16, want = permuted ? i - in + (in < 8 ? 2 * in : 2 * (in - 8) + 1) : i;
    CHECK(got[i] == (float)want);
  }
  CHECK(en_safetensors_find(&s, "base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight", &t));
  en_st_read(got, &t, 0, TINY_D / 2);
  for (int i = 0; i < TINY_D / 2; i++) CHECK(got[i] == (float)i);
  free(file);
  free(a.mem);
}

static char *replace(const char *text, const char *what, const char *with) {
  const char *at = strstr(text, what);
  CHECK(at);
  char *out = malloc(strlen(text) + strlen(with) + 1);
  if (at) sprintf(out, "%.*s%s%s", (int)(at - text), text, with, at + strlen(what));
  else strcpy(out, text);
  return out;
}

static void refusals(const en_model *m) {
  static const struct { const char *what, *with, *says; int32_t status; } bad[] = {
    {"\"use_dora\": false", "\"use_dora\": true", "DoRA", EN_E_FORMAT}, {"\"bias\": \"none\"", "\"bias\": \"all\"", "bias", EN_E_UNSUPPORTED},
    {"\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]", "modules_to_save", EN_E_UNSUPPORTED}, {"\"LORA\"", "\"IA3\"", "LORA", EN_E_UNSUPPORTED},
    {"\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q_proj\": 3}", "alpha", EN_E_UNSUPPORTED}, {"\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"", "init", EN_E_UNSUPPORTED},
    {"\"r\": 3", "\"r\": 4", "rank 3", EN_E_FORMAT}, {"\"r\": 3", "\"r\": 65", "rank", EN_E_UNSUPPORTED}, {"\"lora_alpha\": 6", "\"lora_alpha\": 0", "alpha", EN_E_FORMAT},
    {"{", "", "malformed", EN_E_FORMAT}};
  static const struct { const char *what, *with, *says; int32_t status; } bad_file[] = {
    {"layers.0.self_attn.q_proj.lora_A", "layers.9.self_attn.q_proj.lora_A", "layers.9", EN_E_UNSUPPORTED}, {"layers.0.self_attn.q_proj.lora_A", "layers.0.self_attn.x_proj.lora_A", "x_proj", EN_E_UNSUPPORTED},
    {"layers.0.self_attn.q_proj.lora_A", "layers.1.self_attn.q_proj.lora_A", "twice", EN_E_FORMAT}, {"[3,64]", "[64,3]", "rank 64", EN_E_FORMAT}, {"lora_B.weight", "lora_B.biases", "lora_B.bias", EN_E_UNSUPPORTED},
    {"\"F32\",\"shape\":[3,64]", "\"I32\",\"shape\":[3,64]", "F32", EN_E_UNSUPPORTED}, {"[3,64]", "[2,96]", "rank 2", EN_E_FORMAT}};
  const en_adapter_spec spec = {.rank = 3, .alpha = 6, .targets = EN_LORA_Q | EN_LORA_DOWN};
  held_t a = fresh(m, &spec), b;
  en_why why;
  char *config = config_of(a.a, &(en_peft_config){0});
  const size_t n = en_adapter_save_peft(a.a, NULL, 0);
  unsigned char *file = malloc(n + 1);
  en_adapter_save_peft(a.a, file, n);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char *changed = replace(config, bad[i].what, bad[i].with);
    CHECK_EQ(load(&b, m, file, n, changed, &why), bad[i].status);
    test_check(strstr(why.text, bad[i].says) != NULL, why.text, __FILE__, __LINE__);
    free(changed);
    free(b.mem);
  }
  for (size_t i = 0; i < sizeof bad_file / sizeof *bad_file; i++) { /* in the head, the same length */
    unsigned char *copy = malloc(n);
    size_t at = 8;
    memcpy(copy, file, n);
    while (at + 40 < n && memcmp(copy + at, bad_file[i].what, strlen(bad_file[i].what))) at++;
    memcpy(copy + at, bad_file[i].with, strlen(bad_file[i].with));
    CHECK_EQ(load(&b, m, copy, n, config, &why), bad_file[i].status);
    test_check(strstr(why.text, bad_file[i].says) != NULL, why.text, __FILE__, __LINE__);
    free(b.mem);
    free(copy);
  }
  for (size_t cut = 0; cut < n; cut += 13) {
    CHECK(load(&b, m, file, cut, config, &why) != EN_OK && !b.a);
    free(b.mem);
  }
  const float nan_value = NAN;
  memcpy(file + n - 4, &nan_value, 4);
  CHECK_EQ(load(&b, m, file, n, config, &why), EN_E_NUMERIC);
  free(b.mem);
  free(config);
  free(file);
  free(a.mem);
}

/* A published adapter in both forms: the same numbers come out of the PEFT files as out of the GGUF file. */
static void twins(const char *arch) {
  char path[200];
  size_t n, n_config, n_gguf;
  en_why why = {{0}};
  snprintf(path, sizeof path, "oracles/%s.gguf", arch);
  unsigned char *base = test_read(test_shared(path), &n);
  if (!base) return;
  loaded_t l = load_model(base, n, 0, "auto", &why);
  CHECK(l.m);
  snprintf(path, sizeof path, "oracles/lora-%s.gguf", arch);
  unsigned char *gguf = test_read(test_shared(path), &n_gguf);
  snprintf(path, sizeof path, "oracles/lora-%s.peft/adapter_config.json", arch);
  char *config = (char *)test_read(test_shared(path), &n_config);
  snprintf(path, sizeof path, "oracles/lora-%s.peft/adapter_model.safetensors", arch);
  unsigned char *file = test_read(test_shared(path), &n);
  config = realloc(config, n_config + 1);
  config[n_config] = 0;
  held_t a = {0}, b;
  const size_t need = en_adapter_file_bytes(l.m, gguf, n_gguf);
  a.mem = aligned_alloc(EN_ALIGN, need);
  CHECK_EQ(en_adapter_init_file(&a.a, a.mem, need, l.m, gguf, n_gguf, &why), EN_OK);
  CHECK_EQ(load(&b, l.m, file, n, config, &why), EN_OK);
  if (a.a && b.a) {
    uint64_t n_a, n_b;
    const float *pa = flat(a.a, &n_a), *pb = flat(b.a, &n_b);
    CHECK(n_a == n_b && !memcmp(pa, pb, n_a * sizeof *pa));
    CHECK_EQ(en_adapter_save_peft(b.a, NULL, 0) > 0, 1);
    unsigned char *again = malloc(n);
    en_safetensors s, t;
    CHECK_EQ(en_adapter_save_peft(a.a, again, n), n); /* byte for byte the same data as PEFT's file */
    CHECK_EQ(en_safetensors_open(&s, again, n, NULL), EN_OK);
    CHECK_EQ(en_safetensors_open(&t, file, n, NULL), EN_OK);
    CHECK(s.n_data == t.n_data && !memcmp(s.data, t.data, s.n_data));
    free(again);
  } else {
    printf("%s\n", why.text);
  }
  free(a.mem);
  free(b.mem);
  free(gguf);
  free(config);
  free(file);
  free(base);
  unload_model(&l);
}

int main(void) {
  reads();
  refuses();
  for (int qwen = 0; qwen < 2; qwen++) {
    en_why why;
    bytes_t file = tiny_gguf(qwen ? "qwen2" : "llama", en_type_by_id(EN_F32));
    loaded_t l = load_model(file.p, file.n, 0, "auto", &why);
    CHECK(l.m);
    static const en_adapter_spec specs[] = {{.rank = 3, .alpha = 6, .targets = EN_LORA_ALL}, {.rank = 8, .alpha = 0.1f, .targets = EN_LORA_Q | EN_LORA_K, .first_layer = 1}, {.rank = 64, .alpha = 123456.789f, .targets = EN_LORA_DOWN}};
    for (int i = 0; i < EN_COUNT(specs); i++) round_trip(l.m, &specs[i], 0);
    round_trip(l.m, &(en_adapter_spec){.rank = 4, .alpha = 8, .targets = EN_LORA_V, .rslora = 1}, 1);
    row_order(l.m, !qwen);
    refusals(l.m);
    unload_model(&l);
    free(file.p);
  }
  twins("llama");
  twins("qwen2");
  return test_end();
}
