/* json.h - JSON (RFC 8259) without memory of its own: the text is checked once, then a value is a span of it that is walked without further checks.
 * For the heads of safetensors files and for adapter settings. Bytes of strings are taken as they are (no check of UTF-8). */
#ifndef EN_JSON_H
#define EN_JSON_H
#include "writer.h"

/* A value inside a checked text (kept by the caller). at NULL: absent; everything of an absent value is absent too. */
typedef struct { const char *at, *end; } en_json;
typedef enum { EN_JSON_ABSENT, EN_JSON_NULL, EN_JSON_FALSE, EN_JSON_TRUE, EN_JSON_NUMBER, EN_JSON_STRING, EN_JSON_ARRAY, EN_JSON_OBJECT } en_json_kind;
enum { EN_JSON_MAX_DEPTH = 32 };

/* The whole text must be one value. EN_E_FORMAT otherwise; why names the byte. */
int32_t en_json_open(en_json *out, const void *text, size_t n_bytes, en_why *why);
en_json_kind en_json_kind_of(en_json v);
/* Elements or members one after another; *cursor is NULL at first. 1 with *key (absent in arrays) and *value, 0 at the end. */
int en_json_next(en_json container, const char **cursor, en_json *key, en_json *value);
en_json en_json_get(en_json object, const char *key); /* the first member of that name */
size_t en_json_count(en_json container);              /* elements or members; 0 of anything else */
int en_json_is(en_json string, const char *text);     /* 1: a string that equals text, escapes undone */
/* The bytes between the quotes, as written. For names that are compared piece by piece: one with escapes equals none of them. */
const char *en_json_raw(en_json string, size_t *n_bytes);
/* A string's next character with escapes undone, UTF-8, in out: its bytes, 0 at the end. *cursor is NULL at first. */
int32_t en_json_char(en_json string, const char **cursor, char out[4]);
void en_json_put(en_writer *w, en_json string); /* all of its bytes, escapes undone; nothing of what is no string */
int en_json_number(en_json v, double *out);           /* 1 if it is a number; within 2 units of the last place */
int en_json_u64(en_json v, uint64_t *out);            /* 1 if it is a whole number, written plainly, that fits */
#endif
