// @ts-check
/** The loss of a lesson as it falls. The chart is loaded with the first lesson. */

/** @typedef {{ setData(data: number[][]): void, setSize(size: { width: number, height: number }): void, destroy(): void }} Chart */

const HEIGHT = 160;

export class Curve {
  /** @type {HTMLElement} */ #box;
  /** @type {Promise<Chart> | null} */ #chart = null;
  /** @type {number[][]} steps, losses */ #data = [[], []];
  #frame = 0;

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box;
    new ResizeObserver(() => void this.#chart?.then((chart) => chart.setSize(this.#size))).observe(box);
  }

  begin() {
    this.#data = [[], []];
    this.#chart ??= this.#open();
    this.#draw();
  }

  /** @param {number} step @param {number} loss */
  add(step, loss) {
    this.#data[0].push(step);
    this.#data[1].push(loss);
    this.#box.setAttribute('aria-label', `Loss by step: from ${this.#data[1][0].toFixed(2)} to ${loss.toFixed(2)} after ${step}`);
    this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.#draw(); });
  }

  #draw() {
    void this.#chart?.then((chart) => chart.setData(this.#data));
  }

  get #size() {
    return { width: Math.max(120, this.#box.clientWidth), height: HEIGHT };
  }

  /** @returns {Promise<Chart>} */
  async #open() {
    const { default: UPlot } = await import(/** @type {string} */ ('../vendor/uplot.js'));
    const style = () => getComputedStyle(this.#box); // asked for at every drawing: the colours may be changed meanwhile
    const axis = { stroke: () => style().getPropertyValue('color'), grid: { stroke: () => style().borderColor, width: 1 }, ticks: { show: false }, font: '12px system-ui' };
    return new UPlot({
      ...this.#size,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { range: (/** @type {unknown} */ _, /** @type {number} */ low, /** @type {number} */ high) => [0, Math.max(0.1, high ?? 1)] } },
      axes: [{ ...axis, size: 28 }, { ...axis, size: 42 }],
      series: [{ label: 'step' }, { label: 'loss', stroke: () => style().accentColor, width: 2, points: { show: false } }],
    }, this.#data, this.#box);
  }
}
