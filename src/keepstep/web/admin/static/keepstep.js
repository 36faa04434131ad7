// Progressive enhancement only: every page is complete without this module.

const AGO = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function ago(date) {
  const seconds = (Date.now() - date.getTime()) / 1000;
  const size = Math.abs(seconds);
  if (size < 10) return "just now";
  if (size > 30 * 86400) return null;
  const [unit, name] = AGO.find(([unit]) => size >= unit);
  const span = `${Math.floor(size / unit)} ${name}`;
  return seconds > 0 ? `${span} ago` : `in ${span}`;
}

function tellTimes(root = document) {
  for (const time of root.querySelectorAll("time[data-ago]")) {
    const text = ago(new Date(time.dateTime));
    if (text && text !== time.textContent) time.textContent = text;
  }
}

function showScripted(root = document) {
  // The clipboard exists in secure contexts only; a button that cannot work stays hidden.
  if (navigator.clipboard) for (const button of root.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
  for (const part of root.querySelectorAll("[data-scripted][hidden]")) part.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.dataset.copied = "yes";
  say("Copied.");
  setTimeout(() => delete button.dataset.copied, 1500);
});

let voice;
function say(text) {
  if (!voice) {
    voice = document.createElement("p");
    voice.className = "visually-hidden";
    voice.setAttribute("role", "status");
    document.body.append(voice);
  }
  voice.textContent = text;
}

// A form is sent once, however often its button is hit.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter ?? form.querySelector("[type=submit]");
  button?.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});

document.addEventListener("change", (event) => {
  const part = event.target;
  if (part.matches("[data-check-all]")) {
    for (const box of document.querySelectorAll(`input[type=checkbox][name="${part.dataset.checkAll}"]`)) box.checked = part.checked;
  }
  if (part.closest("[data-send-on-change]") && part.matches("select")) part.form.requestSubmit();
});

// <section id="x" data-refresh="5">: the same section of the same page, every 5 seconds (data-refresh-url: of another page).
// A region somebody is using (focus, open entry, ticked box, selected text) is left alone until they are done.
function inUse(region) {
  const active = document.activeElement;
  if (region.contains(active) && active.matches("input, select, textarea, button, summary, a")) return true;
  if (region.querySelector("details[open], form[data-sent], input[type=checkbox]:checked")) return true;
  const chosen = document.getSelection();
  return Boolean(chosen && !chosen.isCollapsed && region.contains(chosen.anchorNode));
}

// Regions of one page share an answer.
const underWay = new Map();

function freshPage(address, gone) {
  if (!underWay.has(address)) {
    underWay.set(address, fetchPage(address, gone));
    setTimeout(() => underWay.delete(address), 900);
  }
  return underWay.get(address);
}

async function fetchPage(address, gone) {
  const answer = await fetch(address, { headers: { "X-Refresh": "1" }, credentials: "same-origin" });
  if (answer.redirected && new URL(answer.url).pathname === "/login") location.reload();
  if (answer.status === 404 && gone) location.replace(gone);
  if (answer.redirected && gone) location.replace(answer.url);
  if (!answer.ok || answer.redirected) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function refreshRegion(region) {
  const address = region.dataset.refreshUrl ?? location.href.split("#")[0];
  const page = await freshPage(address, region.dataset.gone);
  const fresh = page?.getElementById(region.id);
  if (!page) return region;
  if (!fresh) {
    // The page has become another one (connected, removed): show that one.
    location.replace(new URL(address, location.href).pathname);
    return region;
  }
  if (inUse(region) || fresh.innerHTML === region.dataset.seen) return region;
  const next = document.importNode(fresh, true);
  next.dataset.seen = fresh.innerHTML;
  region.replaceWith(next);
  showScripted(next);
  tellTimes(next);
  return next;
}

function keepFresh(region) {
  let pause = Number(region.dataset.refresh) * 1000;
  let current = region;
  const again = async () => {
    if (!document.hidden && !inUse(current)) {
      try {
        current = await refreshRegion(current);
        pause = Number(current.dataset.refresh ?? region.dataset.refresh) * 1000;
      } catch {
        pause = Math.min(pause * 2, 60000); // the service is away: ask less often
      }
    }
    if (current.dataset.refresh) setTimeout(again, pause);
  };
  setTimeout(again, pause);
}

// What is shown once came as the answer to a form: loading the page again must not send that form again.
const here = document.querySelector("[data-here]");
if (here) history.replaceState(null, "", here.dataset.here);

showScripted();
tellTimes();
setInterval(tellTimes, 10000);
for (const region of document.querySelectorAll("[data-refresh][id]")) keepFresh(region);
