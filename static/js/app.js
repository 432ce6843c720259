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
  if (button) disclose(button, false), button.focus();
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

// A form is sent once, until its answer is here.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog" || "download" in form.dataset) return;
  if (form.ariaBusy === "true") return event.preventDefault(), event.stopImmediatePropagation();
  form.ariaBusy = "true";
  setTimeout(release, 10000, form);
  form.querySelectorAll("[data-reveal]").forEach((button) => reveal(button, false));
}, true);

function release(form) {
  form.ariaBusy = null;
}

addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(release));
document.addEventListener("htmx:finally:request", ({ detail }) => release(detail.ctx.sourceElement));
document.addEventListener("htmx:error", () => say(status.dataset.offline));
document.addEventListener("htmx:after:settle", ({ target }) => target === screen && arrive());

// On a whole page: what is wrong has the focus, and receipts that came with the page are said.
if (screen.querySelector("[role=alert]")) arrive();
else if (status.firstElementChild) setTimeout(() => status.replaceChildren(...status.childNodes), 200);
