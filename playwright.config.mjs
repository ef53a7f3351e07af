// @ts-check
import { defineConfig } from '@playwright/test';
import { common } from './tests/browser/support/projects.mjs';

export default defineConfig({ ...common, testDir: 'tests/browser', timeout: 60_000, outputDir: 'build/browser-results' });
