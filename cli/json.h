/* json.h - a small JSON reader (RFC 8259): one pass into an array of nodes that point into the text. Depth and size are limited. */
#ifndef EN_CLI_JSON_H
#define EN_CLI_JSON_H
#include <stddef.h>
#include <stdint.h>

typedef enum { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_kind;
enum { JSON_MAX_DEPTH = 64 };

/* Values in the order of the text; an object's members are a string (the key) followed by its value. */
typedef struct {
  const char *at;    /* first byte; of a string: behind the quote */
  uint32_t n_bytes;  /* of a string: as written, escapes included; of others: the text of the value */
  uint32_t n;        /* elements of an array, members of an object */
  uint32_t next;     /* index of the node behind this value and all that is inside it */
  uint8_t kind;      /* json_kind */
} json_node;
typedef struct { json_node *nodes; uint32_t n, cap; } json;

/* text: n_bytes, kept. 1 and *out (json_free it), or 0 and *error: a sentence, *error_at: the byte where it went wrong. */
int json_read(json *out, const char *text, size_t n_bytes, const char **error, size_t *error_at);
void json_free(json *j);

/* Nodes are named by index; 0 is the whole value. What is not there is JSON_NONE, and everything of JSON_NONE is absent too. */
#define JSON_NONE UINT32_MAX
uint32_t json_get(const json *j, uint32_t object, const char *key); /* the first member with that key */
uint32_t json_item(const json *j, uint32_t array, uint32_t i);
json_kind json_kind_of(const json *j, uint32_t node); /* JSON_NULL if absent */
int json_number(const json *j, uint32_t node, double *out); /* 1 if it is a number */
/* The string with escapes undone, NUL-terminated, in dst[cap]. 1 if it is a string that fits and holds no NUL. */
int json_string(const json *j, uint32_t node, char *dst, size_t cap);
#endif
