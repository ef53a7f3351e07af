// @ts-check
// A classic script on purpose: it runs before the first paint and before the modules are there.
(() => {
  /** @param {string} key @returns {string | null} */
  const kept = (key) => {
    try { return localStorage.getItem(`edge-net.${key}`); } catch { return null; } // storage is forbidden here: the defaults are fine
  };
  const theme = kept('theme');
  if (theme === '"light"' || theme === '"dark"') document.documentElement.dataset.theme = JSON.parse(theme); // so that a remembered dark page never flashes white
  if (kept('model')) return; // the last visit's model is opened, not the built-in one
  // The built-in model comes while the modules do. With the address and the mode that engine.js asks with, the browser takes it for the same request.
  const link = document.createElement('link');
  Object.assign(link, { rel: 'preload', as: 'fetch', crossOrigin: 'anonymous', href: '../dist/models/home.gguf' });
  document.head.append(link);
})();
