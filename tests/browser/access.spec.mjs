// @ts-check
/** Everybody can use the page: keyboard, screen reader, small screen, less motion. */
import { AxeBuilder } from '@axe-core/playwright';
import { expect, openRandom, openPanels, ready, setSettings, test } from './support/site.mjs';

/** @param {import('@playwright/test').Page} page @param {string} state */
async function expectNoBarriers(page, state) {
  const { violations } = await new AxeBuilder({ page: /** @type {any} */ (page) }).setLegacyMode(true) // in this page alone: no second tab that takes the focus
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze();
  expect(violations.map(({ id, nodes }) => `${state}: ${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`)).toEqual([]);
}

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`no barriers that a checker finds, ${colorScheme}`, async ({ page, site }) => {
    test.slow(); // the checker itself takes seconds a time in Firefox
    await openRandom(page, site);
    await page.locator(`#theme input[value=${colorScheme}]`).check({ force: true });
    await openPanels(page);
    await expectNoBarriers(page, 'at rest');
    await setSettings(page, { maxTokens: 8 });
    await page.fill('#prompt', 'Hello');
    await page.click('#go');
    await ready(page);
    await expectNoBarriers(page, 'after writing');
    await page.click('#open-url');
    await page.fill('#url', 'nonsense://');
    await page.keyboard.press('Enter');
    await expectNoBarriers(page, 'dialog with a mistake');
    await page.keyboard.press('Escape');
    await page.setInputFiles('#file', { name: 'text.gguf', mimeType: 'text/plain', buffer: Buffer.from('no model '.repeat(100)) });
    await expect(page.locator('#problem')).toBeVisible();
    await expectNoBarriers(page, 'after a problem');
  });
}

/** What has the focus, as a person would name it. @param {import('@playwright/test').Page} page */
const focused = (page) => page.evaluate(() => {
  const element = /** @type {HTMLElement} */ (document.activeElement);
  if (element === document.body || element === document.documentElement) return 'BODY';
  return element.id || element.getAttribute('name') || element.textContent?.trim() || element.tagName;
});

test('everything can be reached and used with the keyboard alone', async ({ page, site }) => {
  await openRandom(page, site);
  await setSettings(page, { maxTokens: 2048 });
  await page.reload(); // the keyboard starts at the top
  await ready(page);
  await openPanels(page);
  await page.keyboard.press('Tab');
  expect(await focused(page)).toBe('Skip to the prompt');
  await page.keyboard.press('Enter');
  await expect(page.locator('#prompt')).toBeFocused();
  await page.keyboard.type('Hello');
  await page.keyboard.press('Control+Enter');
  await expect(page.locator('.turn .answer')).not.toBeEmpty();
  await page.keyboard.press('Escape');
  await ready(page);
  await expect(page.locator('.turn')).toHaveCount(1);
  await expect(page.locator('#prompt')).toBeFocused(); // a stop from here does not move the reader

  await page.locator('#open-url').focus();
  await page.keyboard.press('Enter');
  await expect(page.locator('#url')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.locator('#open-url')).toBeFocused();

  /** @type {string[]} */
  const stops = [];
  await page.locator('.skip').focus();
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    const name = await focused(page);
    if (name === 'BODY' || stops.includes(name)) break;
    stops.push(name);
    // a keyboard user must see where they are
    const outlined = await page.evaluate(() => {
      const element = /** @type {HTMLElement} */ (document.activeElement);
      const shown = element.matches('.segments input') ? /** @type {Element} */ (element.nextElementSibling) : element;
      return getComputedStyle(shown).outlineStyle !== 'none';
    });
    expect(outlined, `focus on ${name} can be seen`).toBe(true);
  }
  for (const wanted of ['open-file', 'open-url', 'transcript', 'prompt', 'go', 'set-maxTokens', 'set-temperature', 'set-variant', 'reset-settings', 'Kept on this device']) {
    expect(stops).toContain(wanted);
  }
});

test('nothing sticks out sideways on a phone', async ({ page, site }) => {
  for (const width of [320, 360, 414]) {
    await page.setViewportSize({ width, height: 740 });
    await openRandom(page, site);
    await openPanels(page);
    await setSettings(page, { maxTokens: 60 });
    await page.fill('#prompt', 'a'.repeat(300));
    await page.click('#go');
    await ready(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    const small = await page.locator('button:visible, select:visible').evaluateAll((all) => all.filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.id || e.textContent));
    expect(small).toEqual([]); // WCAG 2.2 target size
  }
});

test('nothing moves for people who ask for less motion', async ({ page, site }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await openRandom(page, site);
  test.skip(!(await page.evaluate(() => matchMedia('(prefers-reduced-motion: reduce)').matches)), 'skipped: this browser cannot be told to reduce motion');
  await setSettings(page, { maxTokens: 2048 });
  await page.fill('#prompt', 'Hello');
  await page.click('#go');
  await expect(page.locator('.turn .answer')).not.toBeEmpty();
  expect(await page.evaluate(() => document.getAnimations().filter((a) => a.playState === 'running').map((a) => /** @type {KeyframeEffect} */ (a.effect).target?.outerHTML))).toEqual([]);
  await page.keyboard.press('Escape');
  await ready(page);
});
