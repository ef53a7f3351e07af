#!/usr/bin/env node
// @ts-check
// Writes models/schema/*.json from the schemas in js-glue, for everybody's validator. `--check` only compares.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ADAPTER_SCHEMA } from '../js-glue/lora-schema.js';
import { MANIFEST_SCHEMA } from '../js-glue/manifest/schema.js';
import { root } from './lib.mjs';

for (const [name, schema] of Object.entries({ 'model-manifest-v1': MANIFEST_SCHEMA, 'lora-adapter-v1': ADAPTER_SCHEMA })) {
  const file = path.join(root, `models/schema/${name}.json`);
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (process.argv.includes('--check')) {
    if (readFileSync(file, 'utf8') !== text) throw new Error(`models/schema/${name}.json is not what js-glue says: run node tools/gen-schema.mjs`);
  } else {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
