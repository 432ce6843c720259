// What axe cannot see on a page at rest. Called with {phone, siteName}; returns what is wrong.
({ phone, siteName }) => {
  const faults = [];
  const wrong = (what, element) =>
    faults.push(element ? `${what}: ${element.outerHTML.replace(/\s+/g, " ").slice(0, 140)}` : what);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const visible = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && element.checkVisibility({ visibilityProperty: true });
  };

  // -- Headings, title, regions
  const headings = all("h1, h2, h3, h4, h5, h6").filter(visible);
  const h1 = headings.filter((h) => h.tagName === "H1");
  if (h1.length !== 1) wrong(`${h1.length} h1`);
  const alert = document.querySelector("main [role=alert]");
  const inOrder = headings.filter((h) => !alert?.contains(h) && !h.closest("dialog, .banner"));
  inOrder.reduce((before, h) => {
    const level = Number(h.tagName[1]);
    if (level > before + 1) wrong(`h${level} after h${before}`, h);
    return level;
  }, 0);
  const title = document.title.replace(/^Error: /, "");
  const name = h1[0]?.textContent.trim().replace(/\s+/g, " ");
  const section = name === "Two-factor authentication" ? [] : ["Two-factor authentication"];
  const titles = [[name, siteName], [name, ...section, siteName]].map((parts) => parts.join(" - "));
  if (!titles.includes(title)) wrong(`the title is "${title}" and the h1 "${name}"`);
  if (Boolean(alert) !== document.title.startsWith("Error: ")) wrong("Error: and the summary do not go together");
  if (all("[role=status]").length !== 1) wrong("there is not one status region");
  if (all("main").length !== 1) wrong("there is not one main");
  const root = document.documentElement;
  if (!root.lang || !["ltr", "rtl"].includes(root.dir)) wrong("the page does not say its language and direction");
  const ids = all("[id]").map((e) => e.id);
  ids.filter((id, place) => ids.indexOf(id) !== place).forEach((id) => wrong(`two elements have the id ${id}`));

  // -- Fields
  const tokens = { username: "username", email: "email", name: "name", phone: "tel", country: "country", numbers: "off" };
  for (const field of all("main :is(input:not([type=hidden]):not([hidden]), select, textarea)")) {
    if (!field.checkVisibility()) continue; // of another choice than the chosen one
    const labels = [...field.labels].filter(visible);
    if (labels.length !== 1) wrong(`${labels.length} labels`, field);
    for (const limit of ["maxlength", "minlength", "pattern", "placeholder", "onpaste"])
      if (field.hasAttribute(limit)) wrong(`a field with ${limit}`, field);
    const label = labels[0]?.textContent.trim();
    const expected =
      ["checkbox", "radio", "file"].includes(field.type) ? null
      : ["Backup code", "Code from your device", "Key name", "Phone name", "Number on your other screen"].includes(label) ? "off"
      : location.pathname.startsWith("/operator/") ? "off"
      : field.name === "username" && document.querySelector("[data-passkey]") ? "username webauthn"
      : field.name === "code" ? "one-time-code"
      : /^New password$/.test(label) || (label === "Password" && document.querySelector("main [autocomplete=name]"))
        || (label === "Password" && location.pathname.startsWith("/invite/"))
        ? "new-password"
      : field.type === "password" ? "current-password"
      : tokens[field.name] ?? "?";
    if (field.getAttribute("autocomplete") !== expected) wrong(`autocomplete is not ${expected}`, field);
    if (field.name === "code" && expected === "one-time-code" && field.inputMode !== "numeric")
      wrong("a code without numeric keys", field);
    if (field.name === "code" && field.type !== "text") wrong("a code that is not text", field);
    if (!["checkbox", "radio"].includes(field.type) && Number.parseFloat(getComputedStyle(field).fontSize) < 16)
      wrong("an iPhone zooms into a field with letters under 16 px", field);
    const invalid = field.getAttribute("aria-invalid") === "true";
    const texts = (field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
    for (const id of texts) if (!document.getElementById(id)?.textContent.trim()) wrong(`nothing at #${id}`, field);
    if (invalid && !texts.includes(`${field.id}-error`)) wrong("an error that is not described", field);
  }
  for (const element of all("[aria-describedby], [aria-labelledby], [aria-controls]"))
    for (const attribute of ["aria-describedby", "aria-labelledby", "aria-controls"])
      for (const id of (element.getAttribute(attribute) ?? "").split(" ").filter(Boolean))
        if (!document.getElementById(id)) wrong(`${attribute} leads to nothing`, element);
  if (alert) {
    for (const link of all("a", alert)) {
      const field = document.querySelector(link.getAttribute("href"));
      if (!field?.matches("input, select, textarea")) wrong("a summary link to nothing", link);
      const own = document.getElementById(`${field?.id}-error`)?.textContent ?? "";
      if (!own.includes(link.textContent.trim())) wrong("the summary and the field say different things", link);
    }
    if (!alert.textContent.trim().startsWith("There is a problem")) wrong("the summary begins otherwise", alert);
    if (alert.compareDocumentPosition(h1[0]) & Node.DOCUMENT_POSITION_PRECEDING) wrong("the summary is under the h1");
  }

  // -- Controls of the same name say in their descriptions what they are about
  const heard = new Map();
  for (const control of all("main :is(a[href], button)").filter(visible)) {
    const about = (control.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id));
    const name = control.getAttribute("aria-label") ?? control.textContent;
    const parts = [control.getAttribute("role") ?? control.tagName, name, ...about.map((e) => e?.textContent)];
    const sound = parts.join(" ").replace(/\s+/g, " ");
    const act = control.href ?? [control.form?.action, control.name, control.value, control.dataset.copy].join();
    if (heard.has(sound) && heard.get(sound) !== act) wrong("another control sounds the same", control);
    heard.set(sound, act);
  }

  // -- Codes and addresses are never turned round
  for (const secret of all(".secret")) if (!secret.querySelector("bdi[dir=ltr]")) wrong("a code without bdi", secret);

  // -- Targets
  const least = phone ? 44 : 24;
  const boxes = [];
  for (const control of all("a[href], button, input:not([type=hidden]), select, summary").filter(visible)) {
    const style = getComputedStyle(control);
    const text = control.closest("p, li, dd, span")?.textContent.trim() ?? "";
    const inline = control.tagName === "A" && style.display === "inline" && text !== control.textContent.trim();
    if (inline || control.matches(".skip")) continue;
    // a link covers its row, but where the row has a switch or more to open
    const row = control.closest(".rows li");
    const covers = row && !row.querySelector("input") && !control.matches(".switch, summary, .own a");
    const parts = covers ? [row] : [control, ...(control.labels ?? [])].filter(visible);
    const rects = parts.map((e) => e.getBoundingClientRect());
    const width = Math.max(...rects.map((r) => r.right)) - Math.min(...rects.map((r) => r.left));
    const height = ["checkbox", "radio"].includes(control.type)
      ? Math.max(...rects.map((r) => r.bottom)) - Math.min(...rects.map((r) => r.top))
      : rects[0].height;
    if (width < least - .5 || height < least - .5)
      wrong(`a target of ${Math.round(width)} x ${Math.round(height)}`, control);
    if (!covers || !row.querySelector(".switch, .more")) boxes.push([control, rects[0]]);
  }
  for (const [control, box] of boxes)
    for (const [other, its] of boxes)
      if (control !== other && !control.contains(other) && !other.contains(control) && !control.labels &&
          box.left < its.right - 1 && its.left < box.right - 1 && box.top < its.bottom - 1 && its.top < box.bottom - 1)
        wrong(`covered by ${other.textContent.trim()}`, control);

  // -- Reflow
  if (root.scrollWidth > root.clientWidth)
    wrong(`${root.scrollWidth} px wide in a window of ${root.clientWidth}`,
      all("body *").find((e) => visible(e) && (e.getBoundingClientRect().right > root.clientWidth + 1
        || e.getBoundingClientRect().left < -1)));
  return faults;
};
