// From Productboard's rich text to an editable element and back, in exactly the subset that the API takes.
//
// Whatever the browser's editing commands leave behind (div, strong, span, br) is mapped or unwrapped on the way out. An anchor to
// urn:pb:node: stands for content that only Productboard keeps; it is one unit here and goes back unchanged.

import { element } from "./dom.js";

const BLOCKS = new Set(["h1", "h2", "p", "pre", "blockquote", "ul", "ol", "hr", "table"]);
const INLINE = new Set(["b", "i", "u", "s", "code", "a"]);
const RENAMED = { strong: "b", em: "i", strike: "s", del: "s", div: "p", h3: "h2", h4: "h2", h5: "h2", h6: "h2" };
const TABLE_PARTS = new Set(["thead", "tbody", "tr", "th", "td"]);
const KEPT = { ul: ["data-type"], li: ["data-checked"], pre: ["data-language"] };
const NODE = "urn:pb:node:";

const tagOf = (node) => {
  const name = node.nodeName.toLowerCase();
  return RENAMED[name] ?? name;
};
const escapeText = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const escapeValue = (text) => escapeText(text).replaceAll('"', "&quot;");

// Reading

export function load(editor, source, nodes) {
  const parsed = new DOMParser().parseFromString(source.replaceAll("<hr/>", "<hr>"), "text/html");
  editor.replaceChildren(...built(parsed.body, nodes));
  if (!editor.firstChild) editor.append(element("p", {}, [element("br")]));
}

function built(parent, nodes) {
  const made = [];
  for (const node of parent.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) made.push(document.createTextNode(node.data));
    if (node.nodeType === Node.ELEMENT_NODE) made.push(...builtElement(node, nodes));
  }
  return made;
}

function builtElement(node, nodes) {
  const tag = tagOf(node);
  if (tag === "img") {
    const named = node.getAttribute("title") || node.getAttribute("src") || "";
    const source = { "data-src": node.getAttribute("src"), "data-title": node.getAttribute("title") };
    return [element("span", { class: "image", contenteditable: "false", ...source }, [`Image: ${named}`])];
  }
  if (!BLOCKS.has(tag) && !INLINE.has(tag) && !TABLE_PARTS.has(tag) && tag !== "li") return built(node, nodes);
  const attributes = {};
  for (const name of KEPT[tag] ?? []) attributes[name] = node.getAttribute(name);
  if (tag === "a") Object.assign(attributes, anchorAttributes(node.getAttribute("href") ?? "", nodes));
  return [element(tag, attributes, built(node, nodes))];
}

function anchorAttributes(href, nodes) {
  if (!href.startsWith(NODE)) return { href };
  return { href, class: "node", contenteditable: "false", title: `Kept by Productboard: ${nodes[href] ?? "unknown content"}` };
}

// Writing

export function serialise(editor) {
  return blocks(editor);
}

// The children of a block container: loose inline content is gathered into paragraphs.
function blocks(container) {
  let out = "";
  let run = "";
  const close = () => {
    if (run.trim()) out += `<p>${run}</p>`;
    run = "";
  };
  for (const node of container.childNodes) {
    const tag = tagOf(node);
    if (node.nodeType === Node.ELEMENT_NODE && (BLOCKS.has(tag) || tag === "li")) {
      close();
      out += block(node, tag);
    } else if (tag === "br") {
      close();
    } else {
      run += inline(node);
    }
  }
  close();
  return out;
}

function block(node, tag) {
  if (tag === "hr") return "<hr/>";
  if (tag === "p" && hasBlockInside(node)) return blocks(node);
  if (tag === "ul" || tag === "ol") return list(node, tag);
  if (tag === "li") return blocks(node);
  if (tag === "table") return table(node);
  if (tag === "pre") return pre(node);
  if (tag === "blockquote") return wrapped("blockquote", blocks(node));
  return lines(node).map((line) => wrapped(tag, line)).join("");
}

const wrapped = (tag, inner) => (inner.trim() ? `<${tag}>${inner}</${tag}>` : "");
const hasBlockInside = (node) => [...node.children].some((child) => BLOCKS.has(tagOf(child)));

// A line break inside a paragraph becomes two paragraphs: the format has none.
function lines(node) {
  const found = [""];
  for (const child of node.childNodes) {
    if (tagOf(child) === "br") found.push("");
    else found[found.length - 1] += inline(child);
  }
  return found;
}

function list(node, tag) {
  const items = [];
  for (const child of node.childNodes) {
    const kind = tagOf(child);
    if (kind === "li") items.push(`<li${kept(child, "li")}>${item(child)}</li>`);
    else if ((kind === "ul" || kind === "ol") && items.length) items[items.length - 1] = nested(items.at(-1), child, kind);
    else if (child.textContent.trim()) items.push(`<li>${inline(child)}</li>`);
  }
  return items.length ? `<${tag}${kept(node, tag)}>${items.join("")}</${tag}>` : "";
}

// Chromium puts an indented list beside its item; in the format it stands inside.
const nested = (before, child, kind) => before.replace(/<\/li>$/, `${list(child, kind)}</li>`);

function item(node) {
  const checklist = node.hasAttribute("data-checked");
  if (checklist && !hasBlockInside(node)) return `<p>${[...node.childNodes].map(inline).join("")}</p>`;
  return [...node.childNodes]
    .map((child) => (child.nodeType === Node.ELEMENT_NODE && BLOCKS.has(tagOf(child)) ? block(child, tagOf(child)) : inline(child)))
    .join("");
}

function kept(node, tag) {
  return (KEPT[tag] ?? [])
    .filter((name) => node.hasAttribute(name))
    .map((name) => ` ${name}="${escapeValue(node.getAttribute(name))}"`)
    .join("");
}

function pre(node) {
  // An editor needs a line break at the end to show an empty last line; it is not part of the code.
  const raw = [...node.childNodes].map((child) => (tagOf(child) === "br" ? "\n" : child.textContent)).join("");
  const text = raw.replace(/\n+$/, "");
  if (!text.trim()) return "";
  const code = node.querySelector("code") ? `<code>${escapeText(text)}</code>` : escapeText(text);
  return `<pre${kept(node, "pre")}>${code}</pre>`;
}

function table(node) {
  const rows = [...node.querySelectorAll("tr")];
  const shown = (row) => `<tr>${[...row.cells].map((cell) => `<${tagOf(cell)}>${cellText(cell)}</${tagOf(cell)}>`).join("")}</tr>`;
  const head = rows.filter((row) => row.closest("thead")).map(shown).join("");
  const body = rows.filter((row) => !row.closest("thead")).map(shown).join("");
  return `<table>${head ? `<thead>${head}</thead>` : ""}${body ? `<tbody>${body}</tbody>` : ""}</table>`;
}

const cellText = (cell) => [...cell.childNodes].map(inline).join("");

function inline(node) {
  if (node.nodeType === Node.TEXT_NODE) return escapeText(node.data.replaceAll("\u00a0", " "));
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  const tag = tagOf(node);
  if (tag === "br") return " ";
  if (node.classList.contains("image")) return image(node);
  const inner = [...node.childNodes].map(inline).join("");
  if (tag === "a" && node.hasAttribute("href")) return `<a href="${escapeValue(node.getAttribute("href"))}">${inner}</a>`;
  if (INLINE.has(tag) && tag !== "a") return inner ? `<${tag}>${inner}</${tag}>` : "";
  return inner;
}

function image(node) {
  const title = node.dataset.title === undefined ? "" : ` title="${escapeValue(node.dataset.title)}"`;
  return `<img src="${escapeValue(node.dataset.src ?? "")}"${title}/>`;
}
