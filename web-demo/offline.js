// @ts-check
/** The page opens without a network after the first visit: a service worker keeps its files, where this site offers one (tools/serve.mjs does). */
import { registerServiceWorker } from '../dist/js-glue/service-worker/register.js';
import { recall } from './remember.js';

/** Registered when the model is ready, so that the first visit is not slowed down. */
export async function keepOffline() {
  const site = document.querySelector('meta[name="edge-net-offline"]')?.getAttribute('content');
  if (!site || recall('offline', true) !== true || !navigator.onLine) return;
  const root = new URL(site, location.href);
  await registerServiceWorker({ script: new URL('service-worker.js', root), list: new URL('files.json', root) })
    .catch((error) => console.info('The page will need the network the next time:', error.message));
}
