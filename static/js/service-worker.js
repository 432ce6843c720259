// Shows push notifications, and an offline page. It must never store a page of an account: only the offline page and
// the few files that this page needs are cached.
// The server defines VERSION, a hash of all static files, on a line before this one.

const OFFLINE = "/offline";
const CACHE = `offline-${VERSION}`;

async function fill() {
  const page = await fetch(OFFLINE, { cache: "no-store", credentials: "omit" });
  if (!page.ok) throw new Error("no offline page");
  const files = [...(await page.clone().text()).matchAll(/href="(\/static\/[^"]+)"/g)].map(([, file]) => file);
  const cache = await caches.open(CACHE);
  await cache.put(OFFLINE, page);
  await cache.addAll(files);
}

async function deleteOlder() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
}

addEventListener("install", (event) => event.waitUntil(fill().then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(deleteOlder().then(() => clients.claim())));

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") {
    if (request.method === "GET") event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (request.url.startsWith(`${location.origin}/static/`)) {
    event.respondWith(fetch(request).catch(async (error) => {
      const cached = await caches.match(request);
      if (cached) return cached;
      throw error;
    }));
  }
});

// Browsers that support Declarative Web Push show the same JSON without this listener.
addEventListener("push", (event) => {
  const { title, navigate, actions = [], ...rest } = event.data.json().notification;
  const pages = Object.fromEntries(actions.map((one) => [one.action, one.navigate]));
  const buttons = actions.map(({ action, title: words }) => ({ action, title: words }));
  event.waitUntil(registration.showNotification(title, { ...rest, actions: buttons, data: { navigate, pages } }));
});

addEventListener("notificationclick", (event) => {
  const { data } = event.notification;
  const url = data.pages[event.action] ?? data.navigate;
  event.notification.close();
  event.waitUntil(open(url));
});

/** Opens the URL in a window of the site, if one is open, else in a new one. */
async function open(url) {
  const [window] = await clients.matchAll({ type: "window" });
  const navigated = await window?.navigate(url).catch(() => null);
  await (navigated ? navigated.focus().catch(() => {}) : clients.openWindow(url));
}
