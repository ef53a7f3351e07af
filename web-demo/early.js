// @ts-check
// A classic script on purpose: it runs before the first paint and before the modules are there.
(() => {
  /** @type {string | null} */ let theme = null;
  try { theme = localStorage.getItem('edge-net.theme'); } catch {} // storage is forbidden here: the default is fine
  if (theme === '"light"' || theme === '"dark"') document.documentElement.dataset.theme = JSON.parse(theme); // so that a remembered dark page never flashes white
})();
