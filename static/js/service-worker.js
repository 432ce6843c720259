// Shows notifications, and a page of its own when there is no network. It keeps no page of an account: nothing that
// comes from the site is stored but the offline page and the few files that page needs.
// The server puts VERSION, a hash of all static files, in front of this.

const OFFLINE = "/offline";
const KEPT = `offline-${VERSION}`;

async function keep() {
  const page = await fetch(OFFLINE, { cache: "no-store", credentials: "omit" });
  if (!page.ok) throw new Error("no offline page");
  const files = [...(await page.clone().text()).matchAll(/href="(\/static\/[^"]+)"/g)].map(([, file]) => file);
  const cache = await caches.open(KEPT);
  await cache.put(OFFLINE, page);
  await cache.addAll(files);
}

async function forgetOlder() {
  for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
}

addEventListener("install", (event) => event.waitUntil(keep().then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(forgetOlder().then(() => clients.claim())));

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") {
    if (request.method === "GET") event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (request.url.startsWith(`${location.origin}/static/`)) {
    event.respondWith(fetch(request).catch(async (error) => {
      const kept = await caches.match(request);
      if (kept) return kept;
      throw error;
    }));
  }
});

// Browsers that know Declarative Web Push show the same JSON by themselves.
addEventListener("push", (event) => {
  const { title, navigate, actions = [], ...rest } = event.data.json().notification;
  const pages = Object.fromEntries(actions.map((one) => [one.action, one.navigate]));
  const shown = actions.map(({ action, title: words }) => ({ action, title: words }));
  event.waitUntil(registration.showNotification(title, { ...rest, actions: shown, data: { navigate, pages } }));
});

addEventListener("notificationclick", (event) => {
  const { data } = event.notification;
  const url = data.pages[event.action] ?? data.navigate;
  event.notification.close();
  event.waitUntil(open(url));
});

/** In a window that is open already, if there is one; else in a new one. */
async function open(url) {
  const [window] = await clients.matchAll({ type: "window" });
  const there = await window?.navigate(url).catch(() => null);
  await (there ? there.focus().catch(() => {}) : clients.openWindow(url));
}
