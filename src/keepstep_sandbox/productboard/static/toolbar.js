// The formatting buttons of the description editor.

import { byId, element } from "./dom.js";

const command = (name, value = null) => () => document.execCommand(name, false, value);
const TOOLS = [
  ["B", "Bold", command("bold"), "bold"],
  ["I", "Italic", command("italic"), "italic"],
  ["U", "Underline", command("underline"), "underline"],
  ["S", "Strikethrough", command("strikeThrough"), "strikeThrough"],
  ["<>", "Code", inlineCode, null],
  ["H1", "Heading 1", command("formatBlock", "h1"), null],
  ["H2", "Heading 2", command("formatBlock", "h2"), null],
  ["¶", "Paragraph", command("formatBlock", "p"), null],
  ["•", "Bulleted list", command("insertUnorderedList"), "insertUnorderedList"],
  ["1.", "Numbered list", command("insertOrderedList"), "insertOrderedList"],
  ["☑", "Checklist", checklist, null],
  ["”", "Quote", command("formatBlock", "blockquote"), null],
  ["{ }", "Code block", command("formatBlock", "pre"), null],
  ["Link", "Link", link, null],
];

export function makeToolbar(bar, editor, changed) {
  document.execCommand("defaultParagraphSeparator", false, "p");
  document.execCommand("styleWithCSS", false, false);
  const buttons = TOOLS.map(([text, name, act, state], index) => {
    const button = element("button", { type: "button", "aria-label": name, title: name, tabindex: index ? -1 : 0 }, [text]);
    if (state) button.setAttribute("aria-pressed", "false");
    button.addEventListener("mousedown", (event) => event.preventDefault()); // the selection stays in the text
    button.addEventListener("click", () => {
      editor.focus();
      act(editor, changed);
      changed();
    });
    return button;
  });
  bar.replaceChildren(...buttons);
  bar.addEventListener("keydown", (event) => moveFocus(event, buttons));
  document.addEventListener("selectionchange", () => showState(editor, buttons));
  editor.addEventListener("click", (event) => toggleCheck(event, changed));
  editor.addEventListener("paste", pastePlain);
}

function moveFocus(event, buttons) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
  for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
  next.focus();
}

function showState(editor, buttons) {
  if (!editor.contains(document.getSelection()?.anchorNode ?? null)) return;
  TOOLS.forEach(([, , , state], index) => {
    if (state) buttons[index].setAttribute("aria-pressed", String(document.queryCommandState(state)));
  });
}

function pastePlain(event) {
  event.preventDefault();
  document.execCommand("insertText", false, event.clipboardData.getData("text/plain"));
}

function inlineCode() {
  const selection = document.getSelection();
  if (!selection.rangeCount) return;
  const range = selection.getRangeAt(0);
  const around = range.commonAncestorContainer.parentElement?.closest("code");
  if (around) {
    around.replaceWith(...around.childNodes);
  } else if (!range.collapsed) {
    range.insertNode(element("code", {}, [range.extractContents().textContent]));
  }
}

function checklist(editor) {
  let list = listAt(editor);
  if (!list) {
    document.execCommand("insertUnorderedList");
    list = splitFromNeighbour(listAt(editor));
  }
  if (!list) return;
  const on = list.dataset.type !== "checklist";
  if (on) list.dataset.type = "checklist";
  else list.removeAttribute("data-type");
  for (const item of list.children) {
    if (on) item.dataset.checked = item.dataset.checked ?? "false";
    else item.removeAttribute("data-checked");
  }
}

// Chromium joins a new list with the one before it.
function splitFromNeighbour(list) {
  const selection = document.getSelection();
  const at = selection.anchorNode;
  const item = (at?.nodeType === Node.ELEMENT_NODE ? at : at?.parentElement)?.closest("li");
  if (!list || !item || item === list.firstElementChild) return list;
  const own = element("ul");
  list.after(own);
  while (item.nextElementSibling) own.prepend(list.lastElementChild);
  own.prepend(item);
  selection.collapse(item, item.childNodes.length);
  return own;
}

function listAt(editor) {
  const node = document.getSelection()?.anchorNode;
  const near = node?.nodeType === Node.ELEMENT_NODE ? node : node?.parentElement;
  const list = near?.closest("ul");
  return list && editor.contains(list) ? list : null;
}

// The box before an item is a pseudo-element: a click left of the text toggles it.
function toggleCheck(event, changed) {
  const item = event.target.closest?.('ul[data-type="checklist"] > li');
  if (!item || event.clientX - item.getBoundingClientRect().left > 24) return;
  item.dataset.checked = item.dataset.checked === "true" ? "false" : "true";
  changed();
}

function link(editor, changed) {
  const selection = document.getSelection();
  if (!selection.rangeCount) return;
  const range = selection.getRangeAt(0).cloneRange();
  const dialog = byId("link-dialog");
  byId("link-address").value = "";
  dialog.showModal();
  byId("link-cancel").onclick = () => dialog.close();
  byId("link-form").onsubmit = () => {
    editor.focus();
    selection.removeAllRanges();
    selection.addRange(range);
    const address = byId("link-address").value;
    if (range.collapsed) range.insertNode(element("a", { href: address }, [address]));
    else document.execCommand("createLink", false, address);
    changed();
  };
}
