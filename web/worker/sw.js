// The service worker. It keeps one thing: the page that checks codes without the
// server, with its style and modules, all named in KEEP. It never keeps a page
// that the server made for a code: such a page has a name on it. Keys, directory
// and status lists are kept by the pages themselves (trust.js), so that a newer
// worker does not throw them away.
const store = "bajigong-shell-VERSION";
const keep = KEEP;

// How long a page may take before the kept one is shown instead: a connection
// that answers nothing is worse than none.
const patience = 8000;

self.addEventListener("install", event => {
  event.waitUntil((async () => {
    const cache = await caches.open(store);
    // Names with their content in them may come from the browser's own cache.
    await cache.addAll(keep.map(path => new Request(path, { cache: path.startsWith("/static/") ? "default" : "no-cache" })));
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", event => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("bajigong-shell-") && name !== store) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

const kept = path => caches.match(path, { cacheName: store, ignoreVary: true });

// page is what the server says, or the shell when it says nothing, or when only
// the proxy in front of it does.
async function page(request, url) {
  let answer;
  try {
    answer = await Promise.race([fetch(request), new Promise((_, no) => setTimeout(no, patience))]);
    if (![502, 503, 504].includes(answer.status)) return answer;
  } catch { }
  const english = url.searchParams.get("lang") === "en";
  return await kept(english ? "/offline?lang=en" : "/offline") || answer || Response.error();
}

self.addEventListener("fetch", event => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (url.pathname === "/verify" || /^\/c\/[^/]+$/.test(url.pathname)) event.respondWith(page(request, url));
  } else if (keep.includes(url.pathname) && url.pathname.startsWith("/static/")) {
    event.respondWith(kept(url.pathname).then(file => file || fetch(url.pathname)));
  }
});
