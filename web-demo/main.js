// @ts-check
/** The page: which model is open, what is being done with it, and every button's state that follows from that. */
import { showBrowser } from './browser-panel.js';
import { CachePanel } from './cache-panel.js';
import { announce, byId } from './dom.js';
import { DEFAULT_MODEL, capabilities, engineBuilds, forgetModel, isKept, keptModels, loadModel, nameOf, runningEngine } from './engine.js';
import { PLAIN_FRAME } from './home/frame.js';
import { frameOf } from './home/prompt.js';
import { LoadPanel } from './load-panel.js';
import { showModel } from './model-panel.js';
import { keepOffline } from './offline.js';
import { wireOpening } from './open-panel.js';
import { PerformanceTab } from './performance/performance-tab.js';
import { describeProblem } from './problems.js';
import { recall, remember } from './remember.js';
import { SearchTab } from './search/search-tab.js';
import { Settings } from './settings.js';
import { Tabs } from './tabs.js';
import { Shelf } from './teach/shelf.js';
import { TeachTab } from './teach/teach-tab.js';
import { wireTheme } from './theme.js';
import { Writer } from './writer.js';

/** @typedef {import('./engine.js').Session} Session */

/** A model up to this size stays open until the next one is ready; a larger one goes first, for there may be no room for both. */
const KEEP_WHILE_LOADING = 256 * 1024 * 1024;

class Page {
  /** @type {Session | null} */ #session = null;
  /** @type {File | URL} */ #source = DEFAULT_MODEL;
  /** What "Try again" tries. @type {File | URL} */ #failed = DEFAULT_MODEL;
  /** @type {AbortController | null} */ #loading = null;
  /** Settles when no model is being opened. */ #settled = Promise.resolve();
  /** @type {import('../js-glue/capabilities.js').Capabilities | null} */ #capabilities = null;
  /** What the open model was loaded with, to know whether the settings differ from it. */
  #loadedWith = '';
  #settings = new Settings(byId('settings', HTMLFormElement));
  #progress = new LoadPanel(() => this.#loading?.abort());
  #writer = new Writer({ settings: this.#settings, taught: () => this.#shelf.taught, problem: (error) => this.#problem(error), changed: () => this.#update() });
  #shelf = new Shelf({ problem: (error) => this.#problem(error), changed: () => this.#update() });
  #teach = new TeachTab({
    keep: (name, lesson) => this.#shelf.keep(name, lesson.adapter),
    taught: () => this.#shelf.taught,
    tryIt: (text) => {
      this.#tabs.show('talk');
      this.#writer.say(text);
      byId('prompt').focus();
    },
    problem: (error) => this.#problem(error),
    changed: () => this.#update(),
  });
  #search = new SearchTab({ problem: (error) => this.#problem(error) });
  #performance = new PerformanceTab({ busy: () => this.#teach.teaching || this.#writer.writing, problem: (error) => this.#problem(error), changed: () => this.#update() });
  #tabs = new Tabs((name) => {
    if (name === 'search') this.#search.show();
    if (name === 'performance') this.#performance.show();
  });
  #cache = new CachePanel(byId('cache'), {
    list: keptModels,
    open: (model) => this.open(new URL(model.id, location.href)),
    remove: (model) => forgetModel(model.id),
    problem: (error) => this.#problem(error),
  });

  async start() {
    wireTheme();
    if (matchMedia('(max-width: 60rem)').matches) {
      for (const panel of document.querySelectorAll('.panel')) panel.removeAttribute('open'); // on a phone the text comes first
    }
    wireOpening((source) => this.open(source));
    byId('problem-close').addEventListener('click', () => this.#closeProblem());
    byId('problem-retry').addEventListener('click', () => this.open(this.#failed));
    byId('problem-default').addEventListener('click', () => this.open(DEFAULT_MODEL));
    this.#settings.addEventListener('change', () => this.#update());
    this.#settings.addEventListener('apply', () => this.open(this.#source));
    byId('panel-cache').addEventListener('toggle', () => this.#cache.refresh());
    addEventListener('pagehide', () => remember('opening', undefined)); // a reload while loading is not a crash
    addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return;
      void this.#writer.stop();
      void this.#teach.stop();
    });
    const [model] = await Promise.all([this.#firstModel(), this.#look()]);
    await this.open(model);
    void keepOffline();
  }

  /**
   * The model of the last visit if it is still kept here, else the built-in one. A model whose loading brought the
   * page down is not opened by itself again: that would trap the visitor in a reload loop.
   * @returns {Promise<URL>}
   */
  async #firstModel() {
    const last = recall('model', '');
    const crashed = recall('opening', '');
    remember('opening', undefined);
    if (typeof last !== 'string' || last === '' || last === crashed) return DEFAULT_MODEL;
    const kept = await isKept(last).catch(() => false);
    return kept ? new URL(last) : DEFAULT_MODEL;
  }

  async #look() {
    try {
      const c = await capabilities();
      this.#capabilities = c;
      const most = c.threads ? Math.max(1, c.cores) : 1;
      this.#settings.offer({
        threads: Array.from({ length: most }, (_, i) => ({ value: String(i + 1), label: String(i + 1) })),
        variants: engineBuilds(c),
        threadsHint: c.threads ? `Processor cores to use; this device has ${c.cores}.` : 'Only one here: see This browser.',
      });
      this.#showBrowser();
    } catch (error) {
      this.#problem(error);
    }
  }

  /** @param {File | URL} source */
  async open(source) {
    if (this.#loading) {
      this.#loading.abort();
      await this.#settled;
    }
    this.#settled = this.#open(source);
    await this.#settled;
  }

  /** @param {File | URL} source */
  async #open(source) {
    const control = new AbortController();
    this.#loading = control;
    this.#closeProblem();
    await Promise.all([this.#writer.stop(), this.#teach.stop()]);
    const before = { source: this.#source, session: this.#session };
    if (before.session && before.session.getMemoryInfo().modelBytes > KEEP_WHILE_LOADING) await this.#dispose();
    const name = source === DEFAULT_MODEL ? 'the built-in model' : nameOf(source);
    this.#source = source;
    this.#progress.begin(name);
    this.#update();
    const kept = source instanceof URL && source !== DEFAULT_MODEL ? source.href : undefined;
    remember('opening', kept);
    const wanted = this.#settings.load;
    try {
      const session = await loadModel(source, {
        ...wanted, signal: control.signal, onProgress: (progress) => this.#progress.update(progress),
      });
      await this.#dispose();
      this.#session = session;
      this.#loadedWith = JSON.stringify(wanted);
      await this.#use(session);
      remember('model', kept);
      announce(`${name} is ready.`);
    } catch (error) {
      if (this.#session) this.#source = before.source; // the model from before is still open
      if (control.signal.aborted) announce('Loading was cancelled.');
      else this.#problem(error, source);
    } finally {
      remember('opening', undefined);
      this.#loading = null;
      this.#progress.end();
      this.#update();
      this.#showBrowser();
      if (byId('panel-cache', HTMLDetailsElement).open) void this.#cache.refresh();
    }
  }

  async #dispose() {
    const session = this.#session;
    this.#session = null;
    await this.#use(null);
    await session?.dispose();
  }

  /** Every part of the page works with this model from now on. @param {Session | null} session */
  async #use(session) {
    const frame = session?.info.hasLogits ? await frameOf(session) : PLAIN_FRAME;
    this.#writer.use(session, frame);
    this.#teach.use(session && { session, frame });
    this.#search.use(session);
    this.#performance.use(session);
    await this.#shelf.use(session);
  }

  #showBrowser() {
    if (!this.#capabilities) return;
    showBrowser(byId('browser'), this.#capabilities, this.#session ? runningEngine(this.#session) : null);
  }

  /** Every visible state follows from here. */
  #update() {
    const loading = this.#loading !== null;
    showModel(this.#session, this.#session || loading ? this.#label() : 'No model is open');
    this.#settings.pendingReload = !loading && this.#session !== null && JSON.stringify(this.#settings.load) !== this.#loadedWith;
    this.#writer.busyLoading = loading;
    this.#performance.show();
    document.documentElement.dataset.state = loading ? 'loading' : this.#writer.writing ? 'writing' : this.#teach.teaching ? 'teaching' : this.#session ? 'ready' : 'empty';
  }

  #label() {
    return this.#source === DEFAULT_MODEL ? 'Built-in home model' : nameOf(this.#source);
  }

  /** @param {unknown} error @param {File | URL} [source] the model that could not be opened, if that is what failed */
  #problem(error, source) {
    const problem = describeProblem(error);
    if (!problem) return;
    const crashed = /** @type {{ code?: string }} */ (error).code === 'CRASHED' && !this.#loading;
    if (crashed) void this.#dispose().catch(() => {}); // nothing of it can be used any more
    this.#failed = source ?? this.#source;
    byId('problem-title').textContent = problem.title;
    byId('problem-hint').textContent = problem.hint;
    byId('problem-detail').textContent = problem.detail;
    byId('problem-more', HTMLDetailsElement).open = false;
    byId('problem-retry').hidden = !source && !crashed;
    byId('problem-default').hidden = this.#session !== null;
    byId('problem').hidden = false;
    console.warn(error);
  }

  #closeProblem() {
    const box = byId('problem');
    if (box.contains(document.activeElement)) byId('prompt').focus();
    box.hidden = true;
  }
}

new Page().start();
