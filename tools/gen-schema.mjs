#!/usr/bin/env node
// @ts-check
// Writes models/schema/model-manifest-v1.json from js-glue/manifest/schema.js, for everybody's validator. `--check` only compares.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MANIFEST_SCHEMA } from '../js-glue/manifest/schema.js';
import { root } from './lib.mjs';

const file = path.join(root, 'models/schema/model-manifest-v1.json');
const text = `${JSON.stringify(MANIFEST_SCHEMA, null, 2)}\n`;
if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) throw new Error('models/schema/model-manifest-v1.json is not what js-glue/manifest/schema.js says: run node tools/gen-schema.mjs');
} else {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
