// The live button of one plugin integration on one item. States are the vendor's: initial, progress, connected, error.

import { element, icon } from "./dom.js";

const WARNING = "M12 2 1 21h22L12 2zm1 15h-2v2h2v-2zm0-7h-2v5h2v-5z";

export function cellButton(cell, column, item, actions) {
  if (cell.clicking || cell.state === "progress") {
    return element("span", { class: "working", role: "status" }, [element("i", { "aria-hidden": "true" }), "Working…"]);
  }
  if (cell.state === "connected") return connected(cell, column);
  if (cell.state === "error") return failed(cell, column, item, actions);
  const label = `${column.label}: ${item.name} to ${column.name}`;
  const button = element("button", { class: "push", type: "button", "aria-label": label }, [column.label]);
  button.addEventListener("click", () => actions.click(column, item, "button.push"));
  return button;
}

function connected(cell, column) {
  return element(
    "a",
    {
      class: `pill ${cell.color}`, href: cell.targetUrl, target: "_blank", rel: "noopener noreferrer", title: cell.tooltip,
      "aria-label": `${cell.label}, ${cell.hoverLabel} in ${column.name}: ${cell.tooltip}`,
    },
    [element("span", { class: "under" }, [cell.label]), element("span", { class: "over" }, [cell.hoverLabel])],
  );
}

function failed(cell, column, item, actions) {
  const label = `Problem with ${item.name} in ${column.name}`;
  const button = element("button", { class: "failed", type: "button", "aria-label": label }, [icon(WARNING), "Problem"]);
  button.addEventListener("click", () => actions.showError(column, item, cell.message));
  return button;
}
