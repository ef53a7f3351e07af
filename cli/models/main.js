#!/usr/bin/env node
// @ts-check
// edge-net-models: the process around program.js.
import { main } from './program.js';

process.exitCode = await main(process.argv.slice(2));
