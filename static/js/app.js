// Makes pages better, never possible: without this file every form, link and page works.
// One module, because each further one would be another request on the first page.

const screen = document.getElementById("screen");
const status = document.getElementById("status");
const controls = (button) => document.getElementById(button.getAttribute("aria-controls"));

/** Says a short sentence aloud and shows it for a while, without moving the page. */
function say(text) {
  const words = document.createElement("p");
  words.dataset.brief = "";
  words.textContent = text;
  status.querySelector("[data-brief]")?.remove();
  status.append(words);
  setTimeout(() => words.remove(), 8000);
}

/** Takes the eye and the screen reader to what is wrong, else to the heading. */
function arrive() {
  scrollTo(0, 0);
  (screen.querySelector("[role=alert]") ?? screen.querySelector("h1"))?.focus();
}

function disclose(button, open) {
  button.setAttribute("aria-expanded", open);
  const part = controls(button);
  if (part instanceof HTMLDialogElement && part.open !== open) part[open ? "showModal" : "close"]();
}

/** A password is shown only while its owner asks for it, and never while it is sent. */
function reveal(button, shown) {
  button.setAttribute("aria-pressed", shown);
  controls(button).type = shown ? "text" : "password";
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    say(button.dataset.said);
  } catch {
    getSelection().selectAllChildren(button.closest("section, .setup-key").querySelector(".secret"));
  }
}

document.addEventListener("click", ({ target }) => {
  if (target instanceof HTMLDialogElement) return target.close(); // its backdrop
  const button = target.closest("button");
  if (!button) return;
  const { dataset } = button;
  if ("reveal" in dataset) reveal(button, button.getAttribute("aria-pressed") === "false");
  if ("copy" in dataset) copy(button);
  if ("print" in dataset) print();
  if (button.hasAttribute("aria-expanded")) disclose(button, button.getAttribute("aria-expanded") === "false");
});

document.addEventListener("keydown", ({ key, target }) => {
  const button = key === "Escape" && target.closest("li:has(> [aria-expanded=true])")?.querySelector("[aria-expanded]");
  if (button) {
    disclose(button, false);
    button.focus();
  }
});

// A dialog closed by Escape or by its button: its opener says so.
document.addEventListener("close", ({ target }) => {
  const button = document.querySelector(`[aria-controls="${target.id}"]`);
  if (button) disclose(button, false);
}, true);

// A wrong code is selected when its field is reached, so that typing replaces it.
document.addEventListener("focusin", ({ target }) => {
  if (target.matches("[data-code][aria-invalid=true]")) target.select();
});

let awaited;

/** Where the browser reads texts and its owner agrees, a code types itself when it comes, and sends nothing. */
function awaitText() {
  const field = screen.querySelector("[data-texted]");
  awaited?.abort();
  if (!field || !("OTPCredential" in window)) return;
  const typed = field.value;
  awaited = new AbortController();
  navigator.credentials.get({ otp: { transport: ["sms"] }, signal: awaited.signal }).then((text) => {
    if (!text || field.value !== typed) return; // what a person types stays
    field.value = text.code;
    say(field.dataset.texted);
  }).catch(() => {});
}

// A form is sent once, until its answer is here.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog" || "download" in form.dataset) return;
  if (form.ariaBusy === "true") return event.preventDefault(), event.stopImmediatePropagation();
  form.ariaBusy = "true";
  awaited?.abort();
  setTimeout(release, 10000, form);
  form.querySelectorAll("[data-reveal]").forEach((button) => reveal(button, false));
}, true);

function release(form) {
  form.ariaBusy = null;
}

addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(release));
document.addEventListener("htmx:finally:request", ({ detail }) => release(detail.ctx.sourceElement));
document.addEventListener("htmx:error", () => say(status.dataset.offline));

// HTMX writes the title when the view transition is over, after the focus has moved: too late to be read aloud.
let title;
document.addEventListener("htmx:before:swap", ({ detail }) => title = detail.ctx.title ?? title);
document.addEventListener("htmx:after:settle", ({ target }) => {
  if (target !== screen) return;
  document.title = title;
  arrive();
  awaitText();
});

// On a whole page: what is wrong has the focus, and receipts that came with the page are said.
if (screen.querySelector("[role=alert]")) arrive();
else if (status.firstElementChild) setTimeout(() => status.replaceChildren(...status.childNodes), 200);
awaitText();
