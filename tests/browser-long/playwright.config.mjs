// @ts-check
import { defineConfig } from '@playwright/test';
import { common } from '../browser/support/projects.mjs';

export default defineConfig({ ...common, testDir: '.', timeout: 900_000, outputDir: '../../build/browser-long-results' });
