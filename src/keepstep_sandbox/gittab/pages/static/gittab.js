// Keeps the open page fresh: asks for it once a second and swaps the parts marked data-live that changed.
// Forms with text in progress are never inside such a part, so nothing that somebody types is lost.

const SECOND = 1000;
const live = document.getElementById("live");
const shown = new Map();
let going = false;
let lastText = "";

function parts(root) {
  return [...root.querySelectorAll("[data-live][id]")];
}

function remember(root) {
  for (const part of parts(root)) shown.set(part.id, part.innerHTML);
}

function swap(fresh) {
  for (const part of parts(fresh)) {
    const here = document.getElementById(part.id);
    if (!here || shown.get(part.id) === part.innerHTML) continue;
    shown.set(part.id, part.innerHTML);
    const open = [...here.querySelectorAll("details[open][id]")].map((one) => one.id);
    const focused = here.contains(document.activeElement) ? address(document.activeElement) : null;
    here.innerHTML = part.innerHTML;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) here.querySelector(focused)?.focus();
  }
  for (const name of ["data-version", "data-by"]) {
    const value = fresh.getElementById("meta")?.getAttribute(name);
    if (value) document.getElementById("meta")?.setAttribute(name, value);
  }
  const colors = fresh.getElementById("label-colors");
  const here = document.getElementById("label-colors");
  if (colors && here && colors.getAttribute("href") !== here.getAttribute("href")) here.href = colors.getAttribute("href");
  if (fresh.title) document.title = fresh.title;
  tellOfChanges();
}

// How to find the focused element again after a swap.
function address(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  if (element.href) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  if (element.name) return `[name="${CSS.escape(element.name)}"][value="${CSS.escape(element.value)}"]`;
  return null;
}

function tellOfChanges() {
  const form = document.querySelector("form[data-edit]");
  const meta = document.getElementById("meta");
  if (!form || !meta || meta.dataset.version === form.dataset.seen) return;
  const note = document.getElementById("changed-meanwhile");
  const text = `${meta.dataset.by} changed this issue while you are editing. Saving keeps their change in the fields that you left alone.`;
  if (note.textContent !== text) note.textContent = text;
  note.hidden = false;
}

function say(state, text) {
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  live.textContent = text;
}

async function refresh() {
  if (going) return;
  going = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    const text = await answer.text();
    if (answer.status === 404) {
      say("lost", "this issue is gone");
      const note = new DOMParser().parseFromString(text, "text/html").querySelector(".empty p");
      if (!document.querySelector("form[data-edit]") && note) document.querySelector("main").innerHTML = `<div class="empty"><p class="empty-head">Gone</p><p>${note.innerHTML}</p><p><a class="button" href="/">Back to the issues</a></p></div>`;
    } else if (answer.ok) {
      say("ok", "live");
      if (text !== lastText) swap(new DOMParser().parseFromString(text, "text/html"));
      lastText = text;
    } else {
      say("lost", `not refreshed (${answer.status})`);
    }
  } catch {
    say("lost", "no connection");
  } finally {
    going = false;
  }
}

// Says above a form why it was refused.
function complain(form, text) {
  const note = form.querySelector(".refusal") ?? document.createElement("p");
  note.className = "note refusal";
  note.setAttribute("role", "alert");
  note.textContent = text;
  form.prepend(note);
}

// Small forms work in place; what was typed stays until it is accepted.
async function sendInPlace(event) {
  const form = event.target;
  const path = new URL(form.action).pathname;
  if (!/\/(state|labels|comments)$/.test(path)) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  let answer;
  try {
    answer = await fetch(form.action, { method: "POST", body });
  } catch {
    say("lost", "no connection");
    return;
  }
  if (!answer.ok) {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    complain(form, page.querySelector(".empty p")?.textContent ?? `Refused (${answer.status}).`);
    return;
  }
  form.querySelector(".refusal")?.remove();
  if (form.hasAttribute("data-clear")) {
    form.reset();
    form.querySelector('[role="tab"]')?.click();
  }
  await refresh();
}

function setUpWriter(writer) {
  const [write, show] = writer.querySelectorAll('[role="tab"]');
  const area = writer.querySelector("textarea");
  const preview = writer.querySelector(".preview");
  writer.querySelector('[role="tablist"]').hidden = false;

  async function choose(tab) {
    const previewing = tab === show;
    for (const one of [write, show]) {
      one.setAttribute("aria-selected", String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
    }
    if (previewing) {
      preview.style.minHeight = `${area.offsetHeight}px`;
      const answer = await fetch("/-/preview", { method: "POST", body: new URLSearchParams({ text: area.value }) });
      // The server has cleaned the HTML; see pages/markdown.py.
      preview.innerHTML = (await answer.json()).html || '<p class="muted">Nothing to preview.</p>';
    }
    area.parentElement.hidden = previewing;
    preview.hidden = !previewing;
  }

  for (const tab of [write, show]) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      const other = tab === write ? show : write;
      other.focus();
      choose(other);
    });
  }
}

function guard(form) {
  let dirty = false;
  form.addEventListener("input", () => { dirty = true; });
  form.addEventListener("submit", () => { dirty = false; });
  form.addEventListener("reset", () => { dirty = false; });
  addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
}

remember(document);
document.querySelectorAll("[data-writer]").forEach(setUpWriter);
document.querySelectorAll("form[data-guard]").forEach(guard);
document.querySelectorAll("select[data-submit]").forEach((one) => one.addEventListener("change", () => one.form.requestSubmit()));
document.addEventListener("submit", sendInPlace);
if (document.querySelector("[data-live]")) {
  say("ok", "live");
  setInterval(refresh, SECOND);
}
