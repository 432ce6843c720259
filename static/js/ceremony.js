// Asks a security key, and puts its answer into the form that asked (WebAuthn Level 3, section 5.1).

const keys = window.PublicKeyCredential;
const DRAWN_FOR = 4 * 60 * 1000; // the server forgets a challenge after five minutes

const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const bytes = (coded) => Uint8Array.from(atob(coded.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const described = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));

/** The server's JSON as the browser takes it: by its own hand, where it has one. */
function parsed(options) {
  if (options.user) return keys.parseCreationOptionsFromJSON?.(options) ?? {
    ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: described(options.excludeCredentials),
  };
  return keys.parseRequestOptionsFromJSON?.(options) ?? {
    ...options, challenge: bytes(options.challenge), allowCredentials: described(options.allowCredentials),
  };
}

/** The key's answer as JSON, the same way. */
function written(answer) {
  if (answer.toJSON) return JSON.stringify(answer.toJSON());
  const { response, id, type, authenticatorAttachment } = answer;
  const parts = { clientDataJSON: text(response.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) if (response[part]) parts[part] = text(response[part]);
  if (response.getTransports) parts.transports = response.getTransports();
  return JSON.stringify({ id, rawId: id, type, authenticatorAttachment, clientExtensionResults: {}, response: parts });
}

const said = (form, what) => form.querySelector("[data-said]").dataset[what];

/** What is going on, beside the button and aloud. */
function tell(form, words, failed = true) {
  const line = form.querySelector("[data-line]");
  const spoken = document.createElement("p");
  line.textContent = spoken.textContent = words;
  line.toggleAttribute("data-failed", failed);
  spoken.className = "unseen";
  spoken.dataset.key = "";
  document.querySelector("#status [data-key]")?.remove();
  document.getElementById("status").append(spoken);
}

const drawnAt = new WeakMap();
const note = () => document.querySelectorAll("form[data-options]").forEach((form) => drawnAt.has(form) || drawnAt.set(form, performance.now()));

/** What the key is to be asked: it came with the page, unless the page is old or the log-in page. */
async function optionsOf(form) {
  if ("passkey" in form.dataset) {
    const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value });
    const answer = await fetch(form.dataset.passkey, { method: "POST", body });
    const told = await answer.json();
    if (answer.ok) return told;
    throw new DOMException(told.detail, "Told"); // problem details (RFC 9457), in the words of the site
  }
  if (performance.now() - drawnAt.get(form) > DRAWN_FOR) {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    form.dataset.options = page.querySelector("form[data-options]")?.dataset.options ?? form.dataset.options;
    drawnAt.set(form, performance.now());
  }
  return JSON.parse(form.dataset.options);
}

function send(form, answer) {
  if (form.elements.keep) form.elements.keep.value = document.querySelector("input[name=keep]:checked")?.value ?? "";
  form.elements.credential.value = written(answer);
  form.dataset.answered = "";
  form.requestSubmit();
}

async function ask(form) {
  const button = form.querySelector("button[data-needs-script]");
  offered?.abort();
  tell(form, said(form, "waiting"), false);
  button.ariaBusy = "true";
  try {
    const options = await optionsOf(form);
    send(form, await navigator.credentials[options.user ? "create" : "get"]({ publicKey: parsed(options) }));
  } catch ({ name, message }) {
    const outcome = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "known" }[name];
    tell(form, name === "Told" ? message : said(form, outcome ?? "failed"));
    button.textContent = said(form, "again") ?? button.textContent;
  }
  button.ariaBusy = null;
}

// On the window, before any other listener: a form goes nowhere until its key has answered.
addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-options], form[data-passkey]")) return;
  if ("answered" in form.dataset) return delete form.dataset.answered;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (form.querySelector("button[aria-busy]")) return;
  if (keys) ask(form);
  else tell(form, said(form, "failed"));
}, true);

let offered;

/** On the log-in page the browser lists its passkeys under the user name, as long as the page is looked at. */
async function offer() {
  const form = document.querySelector("form[data-passkey]");
  offered?.abort();
  if (!form || !(await keys?.isConditionalMediationAvailable?.())) return;
  offered = new AbortController();
  const { signal } = offered;
  const again = setTimeout(() => signal.aborted || offer(), DRAWN_FOR);
  try {
    const publicKey = parsed(await optionsOf(form));
    signal.throwIfAborted();
    const answer = await navigator.credentials.get({ publicKey, mediation: "conditional", signal });
    send(form, answer);
  } catch {
    clearTimeout(again); // nothing was chosen, or nothing could be
  }
}

const ignore = () => {};

/** Keeps the browser's own list of keys in step with ours, where it lets us. */
function tellBrowser() {
  const part = document.querySelector("[data-tell-browser]");
  if (!part || !keys) return;
  const { accepted, details, unknown } = JSON.parse(part.dataset.tellBrowser);
  if (accepted) keys.signalAllAcceptedCredentials?.(accepted).catch(ignore);
  if (details) keys.signalCurrentUserDetails?.(details).catch(ignore);
  if (unknown) keys.signalUnknownCredential?.(unknown).catch(ignore);
}

/** A passkey is offered only where the device could keep one. */
async function offerPasskey() {
  const part = document.querySelector("[data-offer]");
  if (part && await keys?.isUserVerifyingPlatformAuthenticatorAvailable?.()) part.hidden = false;
  part?.querySelector("[data-dismiss]").addEventListener("click", () => {
    part.remove();
    document.querySelector("h1").focus();
  });
}

function look() {
  note();
  tellBrowser();
}

document.addEventListener("htmx:after:settle", look);
look();
offer();
offerPasskey();
