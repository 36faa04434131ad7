// The board: reads the state every second, redraws the rows that changed, and passes on what the person does.

import { cellButton } from "./cells.js";
import { byId, element, fillSelect, toast } from "./dom.js";
import { Panel } from "./panel.js";

const POLL_MS = 1000;
const DOTS = ["gray", "orange", "purple", "blue", "green", "red"]; // in the order of the statuses

const query = new URLSearchParams(location.search);
let workspace = query.get("workspace") ?? "";
let version = "";
let polling = null;
const rows = new Map(); // key: what was drawn, and its element

const person = () => byId("person").value;
const address = (path, more = {}) => `${path}?${new URLSearchParams({ workspace, ...more })}`;

async function send(method, path, body) {
  const response = await fetch(address(path, { by: person() }), {
    method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body),
  });
  return response.status === 204 ? {} : response.json();
}

const api = {
  async item(id) {
    const response = await fetch(address(`/board/items/${id}`));
    return response.ok ? response.json() : null;
  },
  change: (id, changes) => send("PATCH", `/board/items/${id}`, changes),
  remove: (id) => send("DELETE", `/board/items/${id}`),
};

// Addresses in a message can be followed. What Productboard does with them is not documented.
const withLinks = (text) =>
  text.split(/(https?:\/\/\S+)/).map((part) =>
    /^https?:/.test(part) ? element("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, [part]) : part,
  );

const actions = {
  state: null,
  refresh: () => poll(),
  async click(column, item, trigger) {
    const sent = send("POST", "/board/click", { integrationId: column.id, entityId: item.id, trigger, user: person() });
    setTimeout(poll, 30); // shows the spinner
    const answer = await sent;
    if (answer.error) toast(typeof answer.error === "string" ? answer.error : "The click could not be sent.");
    await poll();
  },
  showError(column, item, message) {
    byId("error-dialog-where").textContent = `${item.name} · ${column.name}`;
    byId("error-dialog-message").replaceChildren(...withLinks(message));
    const dialog = byId("error-dialog");
    byId("error-dialog-close").onclick = () => dialog.close();
    byId("error-dialog-dismiss").onclick = () => {
      dialog.close();
      actions.click(column, item, "button.dismiss");
    };
    dialog.showModal();
  },
  create: (type, parent = null) => askCreate(type, parent),
  opened(id) {
    const url = new URL(location.href);
    if (id) url.searchParams.set("item", id);
    else url.searchParams.delete("item");
    history.replaceState(null, "", url);
    for (const row of document.querySelectorAll("tr.item")) row.classList.toggle("open", row.dataset.id === id);
  },
};
const panel = new Panel(api, actions);

// Reading

async function poll() {
  clearTimeout(polling);
  try {
    const response = await fetch(address("/board/state", { known: version }));
    byId("live").dataset.state = "ok";
    byId("live").textContent = "live";
    if (response.status === 200) {
      version = response.headers.get("X-Version");
      show(await response.json());
    }
  } catch {
    byId("live").dataset.state = "lost";
    byId("live").textContent = "connection lost, trying again";
  }
  clearTimeout(polling);
  polling = setTimeout(poll, document.hidden ? 5 * POLL_MS : POLL_MS);
}

function show(state) {
  actions.state = state;
  workspace = state.workspace.id;
  byId("workspace-name").textContent = state.workspace.name;
  byId("workspace-choice").hidden = state.workspaces.length < 2;
  fillSelect(byId("workspace"), state.workspaces.map((each) => [each.id, each.name]), workspace);
  fillSelect(byId("person"), state.members.map((member) => [member.id, member.name]));
  fillSelect(byId("filter-status"), [["", "Every status"], ...state.statuses.map((status) => [status.id, status.name])]);
  byId("no-columns").hidden = state.columns.length > 0;
  draw();
  panel.refresh();
}

// Drawing

function isShown(row) {
  const wanted = byId("search").value.trim().toLowerCase();
  const status = byId("filter-status").value;
  return (
    (!wanted || row.name.toLowerCase().includes(wanted)) &&
    (!status || row.status === status) &&
    (!row.archived || byId("show-archived").checked)
  );
}

function draw() {
  const { state } = actions;
  drawHead(state);
  const wanted = [];
  let count = 0;
  for (const group of state.groups) {
    const shown = group.rows.filter(isShown);
    count += shown.length;
    if (!shown.length) continue;
    wanted.push(cached(`group ${group.id}`, [group.name, shown.length, state.columns.length], () => groupRow(group, shown.length)));
    for (const row of shown) wanted.push(cached(row.id, [row, state.columns, state.statuses, state.members], () => itemRow(row)));
  }
  place(byId("rows"), wanted);
  const none = count === 0;
  byId("empty").hidden = !none;
  byId("empty").textContent = state.groups.some((group) => group.rows.length)
    ? "Nothing matches the search and filters."
    : "No features yet. Create the first one with “New feature”.";
}

function drawHead(state) {
  const names = [["c-name", "Feature"], ["c-status", "Status"], ["c-owner", "Owner"], ...state.columns.map((column) => ["c-cell", column.name])];
  const wanted = JSON.stringify(names);
  if (byId("head").dataset.shown === wanted) return;
  byId("head").dataset.shown = wanted;
  byId("head").replaceChildren(...names.map(([kind, name]) => element("th", { class: kind, scope: "col", role: "columnheader" }, [name])));
}

// An element is made anew only when what it shows has changed, so that focus and hover stay.
function cached(key, shown, make) {
  const wanted = JSON.stringify(shown);
  const known = rows.get(key);
  if (known?.wanted === wanted) return known.made;
  const focused = known?.made.contains(document.activeElement) ? document.activeElement.closest("td")?.cellIndex : undefined;
  const made = make();
  rows.set(key, { wanted, made });
  if (known?.made.isConnected) known.made.replaceWith(made);
  if (focused !== undefined) made.cells[focused]?.querySelector("a, button")?.focus();
  return made;
}

function place(body, wanted) {
  wanted.forEach((row, index) => {
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
  });
  while (body.children.length > wanted.length) body.lastElementChild.remove();
}

function groupRow(group, count) {
  const span = 3 + actions.state.columns.length;
  const text = [group.name, element("span", { class: "count" }, [String(count)])];
  return element("tr", { class: "group", role: "row" }, [element("td", { colspan: span, role: "cell" }, text)]);
}

function itemRow(row) {
  const { state } = actions;
  const name = element("button", { class: "name", type: "button" }, [row.name]);
  name.addEventListener("click", () => panel.open(row.id, name));
  const kind = `item${row.type === "subfeature" ? " sub" : ""}${row.archived ? " archived" : ""}${row.id === panel.id ? " open" : ""}`;
  return element("tr", { class: kind, role: "row", "data-id": row.id }, [
    element("td", { class: "c-name", role: "cell" }, [name]),
    element("td", { class: "c-status", role: "cell" }, [statusName(row)]),
    element("td", { class: "c-owner", role: "cell" }, [ownerName(row)]),
    ...state.columns.map((column) =>
      element("td", { class: "c-cell", role: "cell", "data-label": column.name, "data-column": column.id }, [
        element("span", { class: "cell" }, [cellButton(row.cells[column.id] ?? { state: "initial" }, column, row, actions)]),
      ]),
    ),
  ]);
}

function statusName(row) {
  const index = actions.state.statuses.findIndex((status) => status.id === row.status);
  if (index < 0) return element("span", { class: "muted" }, ["None"]);
  const dot = element("i", { class: DOTS[index] ?? "gray", "aria-hidden": "true" });
  return element("span", { class: "status-name" }, [dot, actions.state.statuses[index].name]);
}

function ownerName(row) {
  const owner = actions.state.members.find((member) => member.id === row.owner);
  if (!owner) return element("span", { class: "muted" }, ["Nobody"]);
  const initials = owner.name.split(" ").map((part) => part[0]).join("").slice(0, 2);
  return element("span", { class: "owner" }, [element("i", { "aria-hidden": "true" }, [initials]), owner.name]);
}

// Creating

function askCreate(type, parent) {
  const dialog = byId("create-dialog");
  byId("create-dialog-title").textContent = type === "feature" ? "New feature" : `New subfeature of “${parent.name}”`;
  byId("create-place-label").hidden = parent !== null;
  const components = actions.state.groups.filter((group) => group.type === "component");
  fillSelect(byId("create-place"), components.map((group) => [group.id, group.name]));
  byId("create-name").value = "";
  byId("create-error").hidden = true;
  byId("create-cancel").onclick = () => dialog.close();
  byId("create-form").onsubmit = async (event) => {
    event.preventDefault();
    const place = parent?.id ?? byId("create-place").value;
    const made = await send("POST", "/board/items", { type, name: byId("create-name").value, parent: place });
    if (made.error) {
      byId("create-error").textContent = typeof made.error === "string" ? made.error : "This could not be created.";
      byId("create-error").hidden = false;
      return;
    }
    dialog.close();
    await poll();
    panel.open(made.id, document.querySelector(`tr[data-id="${made.id}"] .name`));
  };
  dialog.showModal();
}

byId("new-feature").addEventListener("click", () => askCreate("feature", null));
for (const id of ["search", "filter-status", "show-archived"]) byId(id).addEventListener("input", () => actions.state && draw());
byId("workspace").addEventListener("change", (event) => {
  workspace = event.target.value;
  version = "";
  rows.clear();
  history.replaceState(null, "", `/?workspace=${encodeURIComponent(workspace)}`);
  poll();
});
document.addEventListener("visibilitychange", () => document.hidden || poll());

await poll();
if (query.get("item")) panel.open(query.get("item"), null);
