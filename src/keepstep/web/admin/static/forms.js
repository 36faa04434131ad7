// For the wizard, settings and people; every form works without it.

const PAUSE = 600;

function after(pause, work) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, pause);
  };
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

// Credentials are checked as they are typed or pasted.
for (const form of document.querySelectorAll("form[data-check]")) {
  const result = form.querySelector("[data-check-result]");
  const token = form.querySelector("[data-token]");
  let last = "";
  let number = 0;

  const show = (word, text) => {
    result.hidden = !text;
    result.dataset.word = word;
    const words = document.createElement("span");
    words.textContent = text;
    result.replaceChildren(icon(word), words);
  };

  const check = async () => {
    const entered = new FormData(form);
    const key = JSON.stringify([...entered]);
    const ready = token.value.trim().length >= 8 || (token.placeholder && last);
    if (key === last || !ready) return;
    last = key;
    const mine = ++number;
    show("working", "Checking…");
    try {
      const answer = await fetch(form.dataset.check, { method: "POST", body: entered, credentials: "same-origin" });
      if (mine !== number) return;
      if (!answer.ok || answer.redirected) return show("working", "");
      const said = await answer.json();
      show(said.ok ? "ok" : "broken", said.text);
      if (said.field) form.querySelector(`[name="${CSS.escape(said.field)}"]`)?.setAttribute("aria-invalid", String(!said.ok));
      else for (const part of form.querySelectorAll("[aria-invalid], .field-error")) {
        part.removeAttribute("aria-invalid");
        if (part.matches(".field-error")) part.hidden = true;
      }
    } catch {
      show("working", "");
    }
  };
  form.addEventListener("input", after(PAUSE, check));
  form.addEventListener("change", after(50, check));
  token.addEventListener("paste", after(50, check));
}

// What only one kind of tracker asks for takes part in the form only with that kind.
function ofKind(part, kind) {
  part.hidden = part.dataset.ofKind !== kind;
  for (const field of part.querySelectorAll("input, select")) field.disabled = part.hidden;
}

// The kind of tracker brings its usual address and where its token is made.
for (const form of document.querySelectorAll("form[data-kinds]")) {
  const address = form.elements.tracker_url;
  const help = document.getElementById("h-tracker_token");
  for (const part of form.querySelectorAll("[data-of-kind]")) ofKind(part, form.querySelector("[name=kind]:checked")?.value);
  const usual = new Set([...form.querySelectorAll("[data-url]")].map((kind) => kind.dataset.url));
  form.addEventListener("change", (event) => {
    const kind = event.target;
    if (kind.name !== "kind") return;
    if (!address.value || usual.has(address.value)) address.value = kind.dataset.url;
    if (help) help.textContent = kind.dataset.help;
    for (const part of form.querySelectorAll("[data-of-kind]")) ofKind(part, kind.value);
  });
}

// Projects are found while the word is typed.
for (const section of document.querySelectorAll("[data-live-search]")) {
  const form = section.querySelector("form[role=search]");
  const input = form.elements.search;
  let number = 0;
  input.addEventListener("input", after(350, async () => {
    const mine = ++number;
    const answer = await fetch(`${form.getAttribute("action")}?search=${encodeURIComponent(input.value)}`, { credentials: "same-origin" });
    if (!answer.ok || mine !== number) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("projects");
    if (fresh) document.getElementById("projects").replaceChildren(...fresh.childNodes);
  }));
}

// One-line explanations follow the choice; a status that is not mapped is marked.
document.addEventListener("change", (event) => {
  const part = event.target;
  if (part.matches("[data-explained]")) {
    document.getElementById(part.getAttribute("aria-describedby")).textContent = part.selectedOptions[0].dataset.sentence;
  }
  const row = part.closest("[data-map-row]");
  if (row) {
    row.classList.toggle("unmapped", !part.value);
    const propose = part.form.querySelector("[data-propose]");
    if (propose) propose.hidden = !part.form.querySelector(".unmapped");
  }
  const list = part.closest("[data-label-list]");
  if (list) addLabelRow(list);
});

// The last row of a list of labels is always free.
function addLabelRow(list) {
  const rows = list.querySelectorAll(".label-row");
  const last = rows[rows.length - 1];
  const field = last.querySelector("select, input");
  if (!field.value) return;
  const next = last.cloneNode(true);
  const fresh = next.querySelector("select, input");
  fresh.value = "";
  fresh.setAttribute("aria-label", field.getAttribute("aria-label").replace(/\d+$/, rows.length + 1));
  next.querySelector(".label-number").textContent = rows.length + 1;
  last.after(next);
}

// The preview follows every change of the mapping.
for (const form of document.querySelectorAll("form[data-preview]")) {
  form.querySelector('button[value="preview"]')?.setAttribute("hidden", "");
  let number = 0;
  const update = async () => {
    const mine = ++number;
    const preview = document.getElementById("preview");
    preview.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: new FormData(form), credentials: "same-origin" });
      if (mine !== number) return;
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("preview");
        if (fresh) preview.replaceChildren(...fresh.childNodes);
      }
    } finally {
      if (mine === number) preview.removeAttribute("aria-busy");
    }
  };
  form.addEventListener("change", after(250, update));
}

// How many characters are left.
for (const input of document.querySelectorAll("input[data-count]")) {
  const left = document.createElement("p");
  left.className = "count-left";
  left.setAttribute("role", "status");
  const tell = () => {
    left.textContent = `${input.value.length} of ${input.dataset.count} characters`;
  };
  input.after(left);
  input.addEventListener("input", tell);
  tell();
}
