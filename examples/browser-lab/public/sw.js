// Works offline, and gives a static host the headers that threads need.
const CACHE = 'frugal-lab-2';

/** Scripts, styles, pages and kernels, as the build has listed them; data are kept once they were asked for. */
async function fill() {
  const files = await (await fetch('files.json', { cache: 'no-cache' })).json();
  const cache = await caches.open(CACHE);
  await cache.addAll(files);
  const known = new Set(files.map((file) => new URL(file, self.registration.scope).href));
  for (const request of await cache.keys()) {
    if (/\/assets\//.test(request.url) && !known.has(request.url)) await cache.delete(request);
  }
}

self.addEventListener('install', (event) => event.waitUntil(fill().then(() => self.skipWaiting())));
self.addEventListener('activate', (event) =>
  event.waitUntil(
    Promise.all([
      self.clients.claim(),
      caches
        .keys()
        .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)))),
    ]),
  ),
);

function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** What has its content in its name comes from the cache, everything else from the network while there is one. */
async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept !== undefined && /\/assets\//.test(request.url)) return isolated(kept);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return isolated(response);
  } catch (error) {
    if (kept === undefined) throw error;
    return isolated(kept);
  }
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method === 'GET' && new URL(request.url).origin === self.location.origin)
    event.respondWith(answer(request));
});
