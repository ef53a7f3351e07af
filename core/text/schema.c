/* schema.c - JSON schemas (json-schema.org, draft 2020-12) as programs. Every text that a program allows is JSON that the schema accepts; not every such
 * text is allowed: members stand in the order of the schema, none comes beside those it names, white space and numbers are short, so that a model gets
 * to the end. What a schema demands and this cannot promise is refused by name.
 * A subschema is a rule whose name is its own text, a reference one whose name is the reference; both are compiled when everything before them is. */
#include "grammar.h"

static const char prelude[] =
  "value ::= object | array | string | number | boolean | null\n"
  "object ::= \"{\" ws (string \":\" ws value ws (\",\" ws string \":\" ws value ws)*)? \"}\"\n"
  "array ::= \"[\" ws (value ws (\",\" ws value ws)*)? \"]\"\n"
  "string ::= \"\\\"\" char* \"\\\"\"\n"
  "char ::= [^\"\\\\\\x00-\\x1F\\x7F] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" [0-9a-fA-F]{4})\n"
  "integer ::= \"-\"? (\"0\" | [1-9] [0-9]{0,15})\n"
  "number ::= integer (\".\" [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?\n"
  "boolean ::= \"true\" | \"false\"\n"
  "null ::= \"null\"\n"
  "ws ::= (\" \" | \"\\n\" [ \\t]{0,20})?\n";

typedef enum { NOTE /* says nothing of the text */, MADE /* goes with its type */, WHOLE /* says everything alone */ } effect_t;
static const struct { const char *name; effect_t effect; } keywords[] = {
  {"type", MADE}, {"properties", MADE}, {"required", MADE}, {"additionalProperties", MADE}, {"items", MADE}, {"prefixItems", MADE}, {"minItems", MADE},
  {"maxItems", MADE}, {"minLength", MADE}, {"maxLength", MADE}, {"enum", WHOLE}, {"const", WHOLE}, {"anyOf", WHOLE}, {"oneOf", WHOLE}, {"allOf", WHOLE},
  {"$ref", WHOLE}, {"$defs", NOTE}, {"definitions", NOTE}, {"title", NOTE}, {"description", NOTE}, {"default", NOTE}, {"examples", NOTE}, {"format", NOTE},
  {"$schema", NOTE}, {"$id", NOTE}, {"$comment", NOTE}, {"deprecated", NOTE}, {"readOnly", NOTE}, {"writeOnly", NOTE},
};

static void refuse(en_program *p, const char *what, en_json where) {
  if (p->status == EN_OK) p->status = en_fail(p->why, EN_E_UNSUPPORTED, "the JSON schema cannot be kept to: %s (%S)", what, (size_t)(where.end - where.at), where.at);
}
/* Text, in which _ is white space. */
static void text(en_program *p, const char *s) {
  for (; *s; s++)
    if (*s == '_') en_program_call(p, "ws", 2);
    else en_program_bytes(p, s, 1);
}
static void call(en_program *p, const char *rule) { en_program_call(p, rule, strlen(rule)); }
static void call_schema(en_program *p, en_json schema) { en_program_call(p, schema.at, (size_t)(schema.end - schema.at)); }
static void exactly(en_program *p, en_json value) { en_program_bytes(p, value.at, (size_t)(value.end - value.at)); }
static int same(en_json a, en_json b) { return a.end - a.at == b.end - b.at && !memcmp(a.at, b.at, (size_t)(a.end - a.at)); }

/* A count that a keyword gives; `none` where it is absent. */
static uint32_t count(en_program *p, en_json schema, const char *key, uint32_t none) {
  const en_json v = en_json_get(schema, key);
  uint64_t n = none;
  if (v.at && !en_json_u64(v, &n)) refuse(p, "a count must be a whole number", v);
  return v.at ? (uint32_t)EN_MIN(n, EN_MAX_CODE) : none;
}

/* min to max times the same, joined by commas, each with white space after it. */
static void list(en_program *p, en_json item, uint32_t min, uint32_t max) {
  const uint32_t from = p->n_code;
  if (!max) return;
  call_schema(p, item);
  text(p, "_");
  const uint32_t more = p->n_code;
  text(p, ",_");
  call_schema(p, item);
  text(p, "_");
  en_program_repeat(p, more, min ? min - 1 : 0, max == EN_NO_LIMIT ? max : max - 1);
  if (!min) en_program_repeat(p, from, 0, 1);
}

static void array(en_program *p, en_json schema) {
  static const char anything[] = "{}";
  const en_json items = en_json_get(schema, "items"), first = en_json_get(schema, "prefixItems"), any = {anything, anything + 2};
  const uint32_t min = count(p, schema, "minItems", 0), max = count(p, schema, "maxItems", EN_NO_LIMIT);
  const char *cursor = NULL;
  en_json key, value;
  text(p, "[_");
  if (max < min || (first.at && (en_json_count(first) < min || en_json_count(first) > max))) refuse(p, "no array has so many items", schema);
  for (int more = 0; en_json_next(first, &cursor, &key, &value); more = 1) {
    if (more) text(p, ",_");
    call_schema(p, value);
    text(p, "_");
  }
  if (!first.at) list(p, items.at ? items : any, min, max);
  text(p, "]");
}

static int is_required(en_json schema, en_json name) {
  const char *cursor = NULL;
  en_json key, value;
  const en_json required = en_json_get(schema, "required");
  while (en_json_next(required, &cursor, &key, &value))
    if (same(value, name)) return 1;
  return 0;
}

static void member(en_program *p, en_json name, en_json schema) {
  exactly(p, name);
  text(p, ":_");
  call_schema(p, schema);
  text(p, "_");
}

/* Code for each member stands twice: as the first one of the object, and behind a comma. Jumps lead from every member to the second form of the next. */
typedef struct { uint32_t at[3]; int32_t n; } jumps_t;
static void land(en_program *p, jumps_t *jumps) {
  for (; jumps->n > 0; jumps->n--) en_program_target(p, jumps->at[jumps->n - 1], p->n_code);
}
static void members(en_program *p, en_json schema, en_json properties) {
  jumps_t to_first = {0}, to_next = {0};
  int none_yet = 1; /* may the object still be empty here? */
  const char *cursor = NULL;
  en_json name, value;
  for (int i = 0; en_json_next(properties, &cursor, &name, &value); i++) {
    const int required = is_required(schema, name);
    jumps_t after = {0};
    land(p, &to_first);
    if (none_yet) {
      if (!required) to_first.at[to_first.n++] = en_program_add(p, EN_OP_SPLIT, 0);
      member(p, name, value);
      after.at[after.n++] = en_program_add(p, EN_OP_JUMP, 0);
    }
    if (i > 0) {
      land(p, &to_next);
      if (!required) after.at[after.n++] = en_program_add(p, EN_OP_SPLIT, 0);
      text(p, ",_");
      member(p, name, value);
      after.at[after.n++] = en_program_add(p, EN_OP_JUMP, 0);
    }
    to_next = after;
    none_yet &= !required;
  }
  land(p, &to_first);
  land(p, &to_next);
}

static void object(en_program *p, en_json schema) {
  const en_json properties = en_json_get(schema, "properties"), others = en_json_get(schema, "additionalProperties"), required = en_json_get(schema, "required");
  const char *cursor = NULL;
  en_json key, name, value;
  while (en_json_next(required, &cursor, &key, &name)) {
    const char *at = NULL;
    int found = 0;
    while (!found && en_json_next(properties, &at, &key, &value)) found = same(key, name);
    if (!found) refuse(p, "a required property is not among the properties", name);
  }
  if (!properties.at && (!others.at || en_json_kind_of(others) == EN_JSON_TRUE)) { call(p, "object"); return; }
  text(p, "{_");
  if (properties.at) members(p, schema, properties);
  else if (en_json_kind_of(others) != EN_JSON_FALSE) { /* any names, values of one kind: as a list of pairs */
    const uint32_t from = p->n_code;
    for (int more = 0; more < 2; more++) {
      const uint32_t pair = p->n_code;
      if (more) text(p, ",_");
      call(p, "string");
      text(p, ":_");
      call_schema(p, others);
      text(p, "_");
      if (more) en_program_repeat(p, pair, 0, EN_NO_LIMIT);
    }
    en_program_repeat(p, from, 0, 1);
  }
  text(p, "}");
}

static void string(en_program *p, en_json schema) {
  const uint32_t min = count(p, schema, "minLength", 0), max = count(p, schema, "maxLength", EN_NO_LIMIT);
  if (max < min) refuse(p, "no string has such a length", schema);
  text(p, "\"");
  const uint32_t from = p->n_code;
  call(p, "char");
  en_program_repeat(p, from, min, max);
  text(p, "\"");
}

static void of_type(en_program *p, en_json schema, en_json type) {
  static const char *const plain[] = {"integer", "number", "boolean", "null"};
  if (en_json_is(type, "object")) object(p, schema);
  else if (en_json_is(type, "array")) array(p, schema);
  else if (en_json_is(type, "string")) string(p, schema);
  else {
    for (int32_t i = 0; i < EN_COUNT(plain); i++)
      if (en_json_is(type, plain[i])) { call(p, plain[i]); return; }
    refuse(p, "there is no such type", type);
  }
}

/* Each element of a list as an alternative: a value to write, a schema or a type. */
typedef enum { VALUES, SCHEMAS, TYPES } elements_t;
static void any_of(en_program *p, en_json elements, elements_t what, en_json schema) {
  en_choice c = en_choice_begin(p);
  const char *cursor = NULL;
  en_json key, value;
  if (en_json_kind_of(elements) != EN_JSON_ARRAY || !en_json_count(elements)) refuse(p, "a list of alternatives is missing", elements);
  for (int more = 0; en_json_next(elements, &cursor, &key, &value); more = 1) {
    if (more) en_choice_next(p, &c);
    if (what == VALUES) exactly(p, value);
    else if (what == SCHEMAS) call_schema(p, value);
    else of_type(p, schema, value);
  }
  en_choice_end(p, &c);
}

/* Is every keyword known, and not more than one of those that stand alone? Returns that one. */
static en_json check_keywords(en_program *p, en_json schema, en_json *value) {
  en_json whole = {NULL, NULL}, last = whole, key, v;
  const int typed = en_json_get(schema, "type").at != NULL;
  const char *cursor = NULL;
  int made = 0;
  while (en_json_next(schema, &cursor, &key, &v)) {
    int32_t i = 0;
    while (i < EN_COUNT(keywords) && !en_json_is(key, keywords[i].name)) i++;
    if (i == EN_COUNT(keywords)) { refuse(p, "this keyword is not known", key); return whole; }
    if (keywords[i].effect == MADE) { made++; last = key; }
    if (keywords[i].effect != WHOLE) continue;
    if (whole.at) refuse(p, "these two keywords stand beside each other", key);
    whole = key;
    *value = v;
  }
  const int may_name_type = en_json_is(whole, "enum") || en_json_is(whole, "const");
  if (whole.at && made > (may_name_type && typed)) refuse(p, "other keywords stand beside this one", whole);
  if (!whole.at && made && !typed) refuse(p, "this keyword needs a \"type\" beside it", last);
  return whole;
}

static void compile_one(en_program *p, en_json schema) {
  en_json value = {NULL, NULL};
  if (en_json_kind_of(schema) == EN_JSON_TRUE) { call(p, "value"); return; }
  if (en_json_kind_of(schema) != EN_JSON_OBJECT) { refuse(p, "a schema must be an object or true", schema); return; }
  const en_json whole = check_keywords(p, schema, &value), type = en_json_get(schema, "type");
  size_t n;
  if (en_json_is(whole, "enum")) any_of(p, value, VALUES, schema);
  else if (en_json_is(whole, "const")) exactly(p, value);
  else if (en_json_is(whole, "$ref")) {
    const char *ref = en_json_raw(value, &n);
    if (n && *ref == '#') en_program_call(p, ref, n);
    else refuse(p, "a reference must lead to a place in the same schema", value);
  }
  else if (en_json_is(whole, "allOf") && en_json_count(value) != 1) refuse(p, "several schemas at once", value);
  else if (whole.at) any_of(p, value, SCHEMAS, schema);
  else if (en_json_kind_of(type) == EN_JSON_ARRAY) any_of(p, type, TYPES, schema);
  else if (type.at) of_type(p, schema, type);
  else call(p, "value");
}

/* What a reference of this document means: "#" or "#/a/b". Names with ~ or % in them are not looked for. */
static en_json resolve(en_json root, const char *ref, size_t n) {
  const char *end = ref + n, *at = ref + 1;
  while (root.at && at < end && *at == '/') {
    const char *from = ++at, *cursor = NULL;
    while (at < end && *at != '/') at++;
    en_json key, value, found = {NULL, NULL};
    size_t length;
    while (!found.at && en_json_next(root, &cursor, &key, &value)) {
      const char *name = en_json_raw(key, &length);
      if (name && length == (size_t)(at - from) && !memcmp(name, from, length)) found = value;
    }
    root = found;
  }
  return at == end ? root : (en_json){NULL, NULL};
}

void en_schema_compile(en_program *p, const char *source, size_t n_bytes) {
  en_json root;
  en_gbnf_compile(p, prelude, sizeof prelude - 1);
  if (p->status == EN_OK) p->status = en_json_open(&root, source, n_bytes, p->why);
  for (uint32_t i = 0; p->status == EN_OK && i < p->n_rules; i++) { /* rules are added while this goes on */
    const en_rule r = p->rules[i];
    en_json schema = {r.name, r.name + r.n};
    if (r.start >= 0) continue;
    if (r.n == 4 && !memcmp(r.name, "root", 4)) schema = root;
    else if (*r.name == '#') schema = resolve(root, r.name, r.n);
    else if (*r.name != '{' && *r.name != 't') schema = (en_json){NULL, NULL};
    p->rules[i].start = (int32_t)p->n_code;
    if (!schema.at) refuse(p, "there is no such schema", (en_json){r.name, r.name + r.n});
    else compile_one(p, schema);
    en_program_add(p, EN_OP_RETURN, 0);
  }
}
