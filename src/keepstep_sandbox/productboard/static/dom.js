// Small tools to build elements without innerHTML.

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, attributes = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

export const byId = (id) => document.getElementById(id);

// Keeps the choice where it still exists, so that a refresh does not move it.
export function fillSelect(select, options, chosen = select.value) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.dataset.options = wanted;
    select.replaceChildren(...options.map(([value, text]) => element("option", { value }, [text])));
  }
  if (select.value !== chosen && options.some(([value]) => value === chosen)) select.value = chosen;
}

export function toast(text) {
  const note = element("div", { class: "toast" }, [text]);
  byId("toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function ago(moment) {
  const seconds = Math.round((Date.parse(moment) - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return RELATIVE.format(Math.round(seconds / size), unit);
}
