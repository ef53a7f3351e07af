/* json_fuzz.c - any text through the CLI's JSON reader, then every accessor over what it made of it. */
#include "../../cli/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
  const char *error;
  size_t at;
  json j;
  if (!json_read(&j, (const char *)data, n_bytes, &error, &at)) {
    if (!error || at > n_bytes) __builtin_trap();
    return 0;
  }
  for (uint32_t i = 0; i < j.n; i++) {
    char text[64];
    double number;
    json_string(&j, i, text, sizeof text);
    json_number(&j, i, &number);
    json_get(&j, i, "a");
    json_item(&j, i, 1);
    if (j.nodes[i].next <= i || j.nodes[i].next > j.n) __builtin_trap();
  }
  json_free(&j);
  return 0;
}
