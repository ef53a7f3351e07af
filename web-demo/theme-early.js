// @ts-check
// A classic script on purpose: it runs before the first paint, so that a remembered dark page never flashes white.
(() => {
  try {
    const theme = localStorage.getItem('edge-net.theme');
    if (theme === '"light"' || theme === '"dark"') document.documentElement.dataset.theme = JSON.parse(theme);
  } catch {
    // storage is forbidden here: the system's colours are fine
  }
})();
