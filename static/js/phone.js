// On phones whose owner is here: notifications, and pulling down to refresh. Nothing depends on either.

const STRETCH = 72; // how far one pulls, in CSS pixels

// For the page without a network, and for pushes where they are allowed.
const worker = navigator.serviceWorker?.register("/service-worker.js");
worker?.catch(() => {});

const bytes = (coded) => Uint8Array.from(atob(coded.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

/** What is going on, beside the button and aloud. */
function tell(form, what) {
  const words = form.querySelector("[data-said]").dataset[what];
  const spoken = document.createElement("p");
  form.querySelector("[data-line]").textContent = spoken.textContent = words;
  spoken.className = "unseen";
  spoken.dataset.push = "";
  document.querySelector("#status [data-push]")?.remove();
  document.getElementById("status").append(spoken);
}

/** The browser's subscription as JSON; none when its owner or the browser says no. */
async function subscribe(form) {
  if (!form.dataset.push || !("PushManager" in window) || !("serviceWorker" in navigator)) return tell(form, "failed"), "";
  tell(form, "waiting");
  if ((await Notification.requestPermission()) !== "granted") return tell(form, "refused"), "";
  try {
    await worker; // where it was refused, none will ever be ready
    const { pushManager } = await navigator.serviceWorker.ready;
    const key = bytes(form.dataset.push);
    const before = await pushManager.getSubscription();
    await before?.unsubscribe(); // it may be of another key
    const made = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    return JSON.stringify(made.toJSON());
  } catch {
    return tell(form, "failed"), "";
  }
}

// On the window, before any other listener: the form waits for what the browser's owner says.
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
    setTimeout(() => form.requestSubmit(submitter), subscription ? 0 : 1500); // time to read why not
  });
}, true);

let from = null;

addEventListener("touchstart", ({ touches }) => {
  from = scrollY <= 0 && touches.length === 1 && document.querySelector("[data-pull]") ? touches[0].clientY : null;
}, { passive: true });

addEventListener("touchmove", ({ touches }) => {
  if (from === null) return;
  const pulled = touches[0].clientY - from;
  document.querySelector("[data-pull]").toggleAttribute("data-pulled", pulled >= STRETCH);
}, { passive: true });

addEventListener("touchend", () => {
  const form = document.querySelector("[data-pull][data-pulled]");
  from = null;
  if (!form) return;
  form.removeAttribute("data-pulled");
  form.requestSubmit();
}, { passive: true });

