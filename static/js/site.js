// Improves pages. Every form and link must work without it, except where a page says that it needs JavaScript.
// One module, because a second one would be a seventh request on a first visit. Comments on lines of their own are not
// sent to browsers (docs/decisions/static-files.md).

const { lang } = document.documentElement;
// Digits and calendar of the server, which are those of e-mails too
const language = new Intl.Locale(lang, { numberingSystem: "latn", calendar: "gregory" });
// Browsers lack a few languages (Oromo, Tigrinya), and would write their own one instead
const knowsLanguage = Intl.DateTimeFormat.supportedLocalesOf(lang).length > 0;
const screen = document.getElementById("screen");
const status = document.getElementById("status");
const controls = (button) => document.getElementById(button.getAttribute("aria-controls"));

let leaving;

/** Shows a sentence for 8 seconds and has screen readers read it, not `again` while it is shown. The page does not move. */
function say(text, again = true) {
  const shown = status.querySelector("[data-brief]");
  clearTimeout(leaving);
  leaving = setTimeout(() => status.querySelector("[data-brief]")?.remove(), 8000);
  if (!again && shown?.textContent === text) return;
  const words = document.createElement("p");
  words.dataset.brief = "";
  words.textContent = text;
  shown?.remove();
  status.append(words);
}

/** Has screen readers read a sentence that is already on the page. Replaces an earlier one of the same `kind`. */
export function readAloud(kind, words) {
  const spoken = document.createElement("p");
  spoken.className = "unseen";
  spoken.textContent = words;
  spoken.setAttribute(kind, "");
  status.querySelector(`[${kind}]`)?.remove();
  status.append(spoken);
}

/** After a page was loaded: moves the focus to the error summary, else to the heading. */
function arrive() {
  scrollTo(0, 0);
  (screen.querySelector("[role=alert]") ?? screen.querySelector("h1"))?.focus();
}

function disclose(button, open) {
  button.setAttribute("aria-expanded", open);
  const part = controls(button);
  if (part instanceof HTMLDialogElement && part.open !== open) part[open ? "showModal" : "close"]();
}

function reveal(button, shown) {
  button.setAttribute("aria-pressed", shown);
  controls(button).type = shown ? "text" : "password";
}

/** Copies to the clipboard, or selects the text if the browser does not allow that. */
async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    say(button.dataset.said);
  } catch {
    getSelection().selectAllChildren(button.closest("section, .setup-key").querySelector(".secret"));
  }
}

// -- The forms and the link of the footer lead back to the present step, which HTMX may have changed -----------------

// without the language of a public page's address, because another one may be chosen now
const here = () => location.pathname + location.search.replace(/^\?lang=[\w-]+$/, "");
const TYPED = "typed";
/** Never a password, which is text while it is shown, a code, a file or a token. */
const isKept = ({ id, type, autocomplete, dataset }) => id && !["hidden", "file"].includes(type) && !autocomplete.includes("password") && !("code" in dataset);

const user = () => document.querySelector("#who bdi")?.textContent ?? null;

/** Keeps what was typed for the next page of this tab, which is the same step again, or until its user has logged in. */
function keepTyped() {
  const fields = [...screen.querySelectorAll("input, select, textarea")].filter(isKept);
  const typed = fields.map(({ id, value, checked }) => [id, value, checked]);
  try {
    sessionStorage.setItem(TYPED, JSON.stringify([here(), typed, user()]));
  } catch {
    // the browser allows no storage
  }
}

function restoreTyped() {
  try {
    const [path, typed, whose] = JSON.parse(sessionStorage.getItem(TYPED)) ?? [];
    // the pages of a login
    if (whose && !user()) return;
    sessionStorage.removeItem(TYPED);
    for (const [id, value, checked] of path === here() && whose === user() ? typed : []) {
      const field = document.getElementById(id);
      if (field && isKept(field)) Object.assign(field, { value }, checked === undefined ? {} : { checked });
    }
  } catch {
    // the browser allows no storage
  }
}

document.addEventListener("submit", ({ target: { elements } }) => {
  if (!elements.next || !("here" in elements.next.dataset)) return;
  elements.next.value = here();
  keepTyped();
});

restoreTyped();

// An error page takes the place of the form: what was typed is there again when the page is loaded again.
document.addEventListener("htmx:before:swap", ({ detail: { ctx } }) => {
  if (ctx.response.status >= 400 && !ctx.text.includes("<form")) keepTyped();
});

document.addEventListener("click", ({ target }) => {
  // a click on the backdrop
  if (target instanceof HTMLDialogElement) return target.close();
  const link = target.closest("a[data-here]");
  if (link) {
    const url = new URL(link.href);
    url.searchParams.set("next", here());
    link.href = url;
  }
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

// After a dialog was closed by Escape or by its own button: updates the button that opened it.
document.addEventListener("close", ({ target }) => {
  const button = document.querySelector(`[aria-controls="${target.id}"]`);
  if (button) disclose(button, false);
}, true);

// A wrong code is selected on focus, so that typing replaces it.
document.addEventListener("focusin", ({ target }) => {
  if (target.matches("[data-code][aria-invalid=true]")) target.select();
});

/** Shows below a new password that it is too short, or nothing. */
function checkLength(field) {
  const isShort = field.value && [...field.value].length < field.dataset.minimum;
  const error = document.getElementById(`${field.id}-error`);
  const short = document.getElementById(`${field.id}-short`).content.cloneNode(true);
  error.replaceChildren(isShort ? short : "");
  field.ariaInvalid = isShort ? "true" : null;
  field.setAttribute("aria-describedby", `${field.id}-hint ${error.id}`);
  if (isShort) readAloud("data-short", error.textContent);
}

// A new password that is too short is told when its field is left, before the form is sent. Not while a button is
// pressed: what moves between press and release does not get the click.
document.addEventListener("change", ({ target: field }) => {
  const check = () => {
    if (document.querySelector(":active")) setTimeout(check, 100);
    else if (field.isConnected) checkLength(field);
  };
  if (field.dataset.minimum) setTimeout(check);
});

let textRequest;

/** Fills in the code of a text message, if the browser supports WebOTP and the user agrees. Never submits the form. */
function awaitText() {
  const field = screen.querySelector("[data-filled-in]");
  textRequest?.abort();
  if (!field || !("OTPCredential" in window)) return;
  const typed = field.value;
  textRequest = new AbortController();
  navigator.credentials.get({ otp: { transport: ["sms"] }, signal: textRequest.signal }).then((text) => {
    // what the user typed in the meantime stays
    if (!text || field.value !== typed) return;
    field.value = text.code;
    say(field.dataset.filledIn);
  }).catch(() => {});
}

// A form cannot be submitted again before the response. A visible password is hidden first.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog" || "download" in form.dataset) return;
  if (form.ariaBusy === "true") return event.preventDefault(), event.stopImmediatePropagation();
  form.ariaBusy = "true";
  textRequest?.abort();
  setTimeout(release, 10000, form);
  form.querySelectorAll("[data-reveal]").forEach((button) => reveal(button, false));
}, true);

function release(form) {
  form.ariaBusy = null;
}

addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(release));
document.addEventListener("htmx:finally:request", ({ detail }) => release(detail.ctx.sourceElement));
// What asks every two seconds says once that it cannot.
const asks = (ctx) => ctx.sourceElement.matches("[data-hx-trigger]");
const sayOffline = (ctx) => {
  const form = ctx.sourceElement;
  // its line says that it waits for the key
  if (form.querySelector("[data-line]")) tell(form, status.dataset.offline);
  else say(status.dataset.offline, !asks(ctx));
};
document.addEventListener("htmx:error", ({ detail }) => sayOffline(detail.ctx));
// The error page of a proxy takes no place here, nor does an error in place of what asks: it asks again.
document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  // the session may have ended
  if (ctx.hx.redirect && user()) keepTyped();
  // the next page is loading: asked again, it would be loaded again
  if (ctx.hx.redirect && asks(ctx)) ctx.sourceElement.remove();
  const isOurs = ctx.text.includes('id="status"');
  const isForLater = ctx.response.status >= 500 || ctx.response.status === 429;
  if (ctx.response.status < 400 || isOurs && !(asks(ctx) && isForLater)) return;
  event.preventDefault();
  sayOffline(ctx);
});

// -- The wait until another code can be sent ----------------------------------------------------------------------

let countdown;

/** Counts down the seconds each second. At the end says so once, or sends a code where the page asks for that. */
function countDown() {
  clearInterval(countdown);
  const line = screen.querySelector("[data-wait]");
  if (!line) return;
  const { wait, later, now } = line.dataset;
  const ends = Date.now() + wait * 1000;
  const seconds = new Intl.NumberFormat(language, { style: "unit", unit: "second", unitDisplay: "long" });
  const shown = (left) => left > 60 || !knowsLanguage ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : seconds.format(left);
  countdown = setInterval(() => {
    const left = Math.ceil((ends - Date.now()) / 1000);
    line.textContent = left > 0 ? later.replace("{}", shown(left)) : now;
    if (left > 0) return;
    clearInterval(countdown);
    if ("byItself" in line.dataset) sendOnceSeen(line.closest("form"));
    else readAloud("data-wait-over", now);
  }, 1000);
}

/** Sends another code once, as soon as the page is visible. Not while a code is entered: a new one would void it. */
function sendOnceSeen(form) {
  const sendIfSeen = () => {
    if (document.hidden && form.isConnected) return;
    document.removeEventListener("visibilitychange", sendIfSeen);
    const answered = screen.querySelector("[data-code]").value || screen.querySelector("form[aria-busy=true]");
    if (form.isConnected && !answered) form.requestSubmit(form.querySelector("[name=resend]"));
  };
  document.addEventListener("visibilitychange", sendIfSeen);
  sendIfSeen();
}

// -- Times, which the server writes in UTC --------------------------------------------------------------------------

const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
const capitalized = (text) => text[0].toLocaleUpperCase(language) + text.slice(1);

/** Here the "at" between date and time is an ending, and the sentences around a time have endings of their own. */
const joined = { hi: ", ", kn: " ", mr: ", ", ta: ", " }[lang];

let formats;

/** Created on first use: that takes longer than everything else here, and most pages need none. */
function formatsOfTimes() {
  const written = (dateStyle, timeStyle) => new Intl.DateTimeFormat(language, { dateStyle, timeStyle });
  return formats ??= {
    day: written("long"), time: written(undefined, "short"), moment: written("long", "short"),
    whole: written("full", "long"),
    relative: new Intl.RelativeTimeFormat(language, { numeric: "auto" }),
  };
}

function momentOf(date) {
  const { day, time, moment } = formatsOfTimes();
  return joined ? day.format(date) + joined + time.format(date) : moment.format(date);
}

/** "2 minutes ago", "Today at 2:05 PM" (`within` other words "today at 2:05 PM"), or the date and the time. */
function inWords(date, now, within) {
  const { day, time, relative } = formatsOfTimes();
  const begun = within ? String : capitalized;
  const minutes = Math.floor((now - date) / 60000);
  if (minutes >= 0 && minutes < 60) return begun(relative.format(-minutes, minutes ? "minute" : "second"));
  const days = Math.round((midnight(date) - midnight(now)) / 86400000);
  if (days !== 0 && days !== -1) return momentOf(date);
  const today = begun(relative.format(days, "day"));
  return joined ? `${today} ${time.format(date)}` : momentOf(date).replace(day.format(date), today);
}

/** Shows times in the zone of this browser. */
function showTimes() {
  if (!knowsLanguage) return;
  const now = new Date();
  for (const time of document.querySelectorAll("time[datetime]")) {
    const date = new Date(time.dateTime);
    const isDay = "day" in time.dataset;
    // the server wrote the day of UTC
    if (isDay && date.getDate() === date.getUTCDate()) continue;
    let words = "ago" in time.dataset ? inWords(date, now, time.dataset.ago === "within")
      : isDay ? formatsOfTimes().day.format(date) : momentOf(date);
    // "π.μ." at the end of a sentence
    if (words.endsWith(".") && time.nextSibling?.textContent.startsWith(".")) words = words.slice(0, -1);
    // what is the same stays, with a selection in it
    if (time.textContent !== words) time.textContent = words;
  }
}

// The title of a time below the pointer has the whole date, with its zone.
document.addEventListener("pointerover", ({ target }) => {
  const time = target.closest("time[datetime]");
  if (time && knowsLanguage) time.title ||= formatsOfTimes().whole.format(new Date(time.dateTime));
});

setInterval(showTimes, 30000);

// The server sends the whole page when its language was changed meanwhile.
document.addEventListener("htmx:config:request", ({ detail }) => detail.ctx.request.headers["X-Page-Language"] = lang);

// HTMX sets the title after the view transition, when the focus has already moved: too late for screen readers.
let title;
document.addEventListener("htmx:before:swap", ({ detail }) => title = detail.ctx.title ?? title);
document.addEventListener("htmx:after:settle", ({ target }) => {
  if (target !== screen) return;
  document.title = title;
  showTimes();
  arrive();
  awaitText();
  countDown();
});

showTimes();

// After a full page load, an error gets the focus; a receipt is inserted again, because screen readers read only changes
// of a live region.
if (screen.querySelector("[role=alert]")) arrive();
else if (status.firstElementChild) setTimeout(() => status.replaceChildren(...status.childNodes), 200);
awaitText();
countDown();

// -- Security keys and passkeys (WebAuthn Level 3, section 5.1) --------------------------------------------------

const keys = window.PublicKeyCredential;
document.documentElement.toggleAttribute("data-no-keys", !keys);
// the server refuses a challenge after five minutes
const CHALLENGE_LIFETIME = 4 * 60 * 1000;

const base64url = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
export const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const descriptors = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));

/** The options of a WebAuthn call from the server's JSON. Uses the browser's own parser if there is one. */
function parsed(options) {
  if (options.user) return keys.parseCreationOptionsFromJSON?.(options) ?? {
    ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: descriptors(options.excludeCredentials),
  };
  return keys.parseRequestOptionsFromJSON?.(options) ?? {
    ...options, challenge: bytes(options.challenge), allowCredentials: descriptors(options.allowCredentials),
  };
}

/** A credential as JSON. Uses the browser's own method if there is one; that of some extensions throws. */
function serialized(credential) {
  try {
    if (credential.toJSON) return JSON.stringify(credential.toJSON());
  } catch {
    // written below from its parts
  }
  const { response, id, type, authenticatorAttachment } = credential;
  const parts = { clientDataJSON: base64url(response.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) if (response[part]) parts[part] = base64url(response[part]);
  if (response.getTransports) parts.transports = response.getTransports();
  return JSON.stringify({ id, rawId: id, type, authenticatorAttachment, clientExtensionResults: {}, response: parts });
}

const sentence = (form, outcome) => form.querySelector("[data-said]").dataset[outcome];

/** Shows the state of a ceremony beside its button, and has screen readers read it. */
function tell(form, words, failed = true) {
  const line = form.querySelector("[data-line]");
  line.textContent = words;
  line.toggleAttribute("data-failed", failed);
  readAloud("data-key", words);
}

const loadedAt = new WeakMap();
const noteForms = () => document.querySelectorAll("form[data-options]").forEach((form) => loadedAt.has(form) || loadedAt.set(form, performance.now()));

/** For a request without a response from the site, which is no fault of the key. */
const unreached = () => {
  throw new DOMException(status.dataset.offline, "Refused");
};

/** The options of a ceremony: those of the page, or new ones if they have expired or the page has none. */
async function optionsOf(form) {
  if ("passkey" in form.dataset) {
    const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value });
    const response = await fetch(form.dataset.passkey, { method: "POST", body }).catch(unreached);
    const answer = await response.json().catch(unreached);
    if (response.ok) return answer;
    // problem details (RFC 9457), in the language of the page
    throw new DOMException(answer.detail, "Refused");
  }
  if (performance.now() - loadedAt.get(form) > CHALLENGE_LIFETIME) {
    const page = new DOMParser().parseFromString(await (await fetch(location.href).catch(unreached)).text(), "text/html");
    form.dataset.options = page.querySelector("form[data-options]")?.dataset.options ?? form.dataset.options;
    loadedAt.set(form, performance.now());
  }
  return JSON.parse(form.dataset.options);
}

function send(form, credential) {
  if (form.elements.keep) form.elements.keep.value = document.querySelector("input[name=keep]:checked")?.value ?? "";
  form.elements.credential.value = serialized(credential);
  form.dataset.answered = "";
  form.requestSubmit();
}

async function ask(form) {
  const button = form.querySelector("button[data-needs-script]");
  listRequest?.abort();
  tell(form, sentence(form, "waiting"), false);
  button.ariaBusy = "true";
  try {
    const options = await optionsOf(form);
    send(form, await navigator.credentials[options.user ? "create" : "get"]({ publicKey: parsed(options) }));
  } catch ({ name, message }) {
    const outcome = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "known" }[name];
    tell(form, name === "Refused" ? message : sentence(form, outcome ?? "failed"));
    button.textContent = sentence(form, "again") ?? button.textContent;
  }
  button.ariaBusy = null;
}

// On the window, before the listeners of the document: the form is sent only after the security key has answered.
addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-options], form[data-passkey]")) return;
  if ("answered" in form.dataset) return delete form.dataset.answered;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (form.querySelector("button[aria-busy]")) return;
  if (keys) ask(form);
  else tell(form, sentence(form, "failed"));
}, true);

let listRequest;

/** On the log-in page, has the browser offer passkeys at the username (autofill), with a new challenge in time. */
async function listPasskeys() {
  const form = document.querySelector("form[data-passkey]");
  listRequest?.abort();
  if (!form || !(await keys?.isConditionalMediationAvailable?.())) return;
  listRequest = new AbortController();
  const { signal } = listRequest;
  const renewal = setTimeout(() => signal.aborted || listPasskeys(), CHALLENGE_LIFETIME);
  try {
    const publicKey = parsed(await optionsOf(form));
    signal.throwIfAborted();
    send(form, await navigator.credentials.get({ publicKey, mediation: "conditional", signal }));
  } catch {
    // no passkey was chosen, or the browser supports none
    clearTimeout(renewal);
  }
}

const ignore = () => {};

/** Tells the browser which passkeys the server knows, if it has the signal methods (Level 3, section 5.1.10). */
function signalCredentials() {
  const part = document.querySelector("[data-tell-browser]");
  if (!part || !keys) return;
  const { accepted, details, unknown } = JSON.parse(part.dataset.tellBrowser);
  if (accepted) keys.signalAllAcceptedCredentials?.(accepted).catch(ignore);
  if (details) keys.signalCurrentUserDetails?.(details).catch(ignore);
  if (unknown) keys.signalUnknownCredential?.(unknown).catch(ignore);
}

/** Shows the offer to create a passkey, on a device that can store one. */
async function offerPasskey() {
  const part = document.querySelector("[data-offer]");
  if (part && await keys?.isUserVerifyingPlatformAuthenticatorAvailable?.()) part.hidden = false;
  part?.querySelector("[data-dismiss]").addEventListener("click", () => {
    part.remove();
    document.querySelector("h1").focus();
  });
}

function preparePage() {
  noteForms();
  signalCredentials();
}

// an answer to an app by form_post, whose page has a button too
document.querySelector("form[data-submit-now]")?.submit();
document.addEventListener("htmx:after:settle", preparePage);
preparePage();
listPasskeys();
offerPasskey();
