/* kernels.c - the list of kernel tables and the choice of one. */
#include "kernels.h"

static const en_kernels *const tables[] = {
#define EN_TABLE(name) &en_kernels_##name,
#include "tables.def"
#undef EN_TABLE
};

static int runs_here(const en_kernels *k) { return !k->usable || k->usable(); }

const char *en_kernels_usable(int32_t i) {
  for (int32_t j = 0; j < EN_COUNT(tables); j++)
    if (runs_here(tables[j]) && i-- == 0) return tables[j]->name;
  return NULL;
}

int32_t en_kernels_pick(en_kernels *out, const char *name, en_why *why) {
  const int automatic = !name || !strcmp(name, "auto");
  const en_kernels *found = NULL;
  for (int32_t i = 0; i < EN_COUNT(tables) && !found; i++)
    if (automatic ? runs_here(tables[i]) : !strcmp(name, tables[i]->name)) found = tables[i];
  if (!found) return en_fail(why, EN_E_UNSUPPORTED, "this build has no kernel table called %s", name);
  if (!runs_here(found)) return en_fail(why, EN_E_UNSUPPORTED, "this machine cannot run the kernel table %s", name);
  *out = *found;
#ifndef EN_NO_REF /* builds without it have complete tables only */
  if (!out->n_products) { /* a table of row kernels only; one with products has at least F32 */
    out->products = en_kernels_ref.products;
    out->n_products = en_kernels_ref.n_products;
    out->forms = en_kernels_ref.forms;
    out->n_forms = en_kernels_ref.n_forms;
  }
#define EN_KERNEL(fn, ret, args) if (!out->fn) out->fn = en_kernels_ref.fn;
#include "kernels.def"
#undef EN_KERNEL
#endif
  return EN_OK;
}
