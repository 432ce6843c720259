// For the mobile layout of a logged-in user: the service worker, push notifications, and pulling down to refresh.
// Every page must work without them.

import { bytes, readAloud } from "./site.js";

const PULL_DISTANCE = 72; // CSS pixels

// The service worker shows the offline page, and push notifications if the user allows them.
const registered = navigator.serviceWorker?.register("/service-worker.js");
registered?.catch(() => {});

/** Shows the state of the permission request beside its button, and has screen readers read it. */
function tell(form, outcome) {
  const words = form.querySelector("[data-said]").dataset[outcome];
  form.querySelector("[data-line]").textContent = words;
  readAloud("data-push", words);
}

/** The browser's push subscription as JSON; empty when the user or the browser refuses. */
async function subscribe(form) {
  if (!form.dataset.push || !("PushManager" in window) || !("serviceWorker" in navigator)) return tell(form, "failed"), "";
  tell(form, "waiting");
  if ((await Notification.requestPermission()) !== "granted") return tell(form, "refused"), "";
  try {
    await registered; // if the registration failed, `ready` would never resolve
    const { pushManager } = await navigator.serviceWorker.ready;
    const applicationServerKey = bytes(form.dataset.push);
    const earlier = await pushManager.getSubscription();
    await earlier?.unsubscribe(); // it may belong to another key of the server
    const subscription = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
    return JSON.stringify(subscription.toJSON());
  } catch {
    return tell(form, "failed"), "";
  }
}

// On the window, before the listeners of the document: the form is sent only after the user has answered.
addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-push]") || event.submitter?.name) return;
  if ("asked" in form.dataset) return delete form.dataset.asked;
  event.preventDefault();
  event.stopImmediatePropagation();
  const { submitter } = event;
  if (submitter.ariaBusy === "true") return;
  submitter.ariaBusy = "true";
  subscribe(form).then((subscription) => {
    form.elements.subscription.value = subscription;
    form.dataset.asked = "";
    submitter.ariaBusy = null;
    setTimeout(() => form.requestSubmit(submitter), subscription ? 0 : 1500); // leaves time to read the reason
  });
}, true);

/** On an iPhone, notifications need the Home Screen: elsewhere the button that works comes first. */
function offerWhatWorks() {
  const form = document.querySelector("[data-guide] ~ form[data-push]");
  if (!form || "PushManager" in window) return;
  const allow = form.querySelector("[aria-describedby=push-line]");
  const later = form.querySelector("[name=not-now]");
  allow.before(later);
  allow.classList.remove("primary");
  later.classList.add("primary");
}

offerWhatWorks();
document.addEventListener("htmx:after:settle", offerWhatWorks);

let startY = null;

addEventListener("touchstart", ({ touches }) => {
  startY = scrollY <= 0 && touches.length === 1 && document.querySelector("[data-pull]") ? touches[0].clientY : null;
}, { passive: true });

addEventListener("touchmove", ({ touches }) => {
  if (startY === null) return;
  const pulled = touches[0].clientY - startY;
  document.querySelector("[data-pull]").toggleAttribute("data-pulled", pulled >= PULL_DISTANCE);
}, { passive: true });

addEventListener("touchend", () => {
  const form = document.querySelector("[data-pull][data-pulled]");
  startY = null;
  if (!form) return;
  form.removeAttribute("data-pulled");
  form.requestSubmit();
}, { passive: true });
