// The side panel: one item with its fields, its integrations and its description.
//
// What the person has changed here stays until it is saved or discarded. When the item changes meanwhile, untouched fields follow
// and a banner says so; touched ones are left alone.

import { cellButton } from "./cells.js";
import { ago, byId, element, fillSelect, toast } from "./dom.js";
import { load, serialise } from "./richtext.js";
import { makeToolbar } from "./toolbar.js";

const STATES = { initial: "Not pushed", progress: "Waiting for the integration", error: "Problem", connected: "" };

export class Panel {
  constructor(api, actions) {
    this.api = api;
    this.actions = actions;
    this.item = null; // as last read
    this.baseline = ""; // the description as this editor writes it back unchanged
    this.editor = byId("item-description");
    makeToolbar(byId("tools"), this.editor, () => this.showDirty());
    for (const input of [byId("item-name"), this.editor]) input.addEventListener("input", () => this.showDirty());
    byId("item-status").addEventListener("change", (event) => this.save({ status: event.target.value }));
    byId("item-owner").addEventListener("change", (event) => this.save({ owner: event.target.value || null }));
    byId("item-save").addEventListener("click", () => this.saveTexts());
    byId("item-revert").addEventListener("click", () => this.reload());
    byId("panel-reload").addEventListener("click", () => this.reload());
    byId("panel-close").addEventListener("click", () => this.close());
    byId("item-archive").addEventListener("click", () => this.save({ archived: !this.item.archived }));
    byId("item-delete").addEventListener("click", () => this.askDelete());
    byId("new-subfeature").addEventListener("click", () => this.actions.create("subfeature", this.item));
    byId("panel").addEventListener("keydown", (event) => this.key(event));
  }

  get id() {
    return this.item?.id ?? null;
  }

  key(event) {
    if (event.key === "Escape") this.close();
    if (event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.saveTexts();
    }
  }

  nameIsDirty() {
    return byId("item-name").value !== this.item.name;
  }

  descriptionIsDirty() {
    return serialise(this.editor) !== this.baseline;
  }

  isDirty() {
    return this.item !== null && (this.nameIsDirty() || this.descriptionIsDirty());
  }

  showDirty() {
    byId("item-save").disabled = byId("item-revert").disabled = !this.isDirty();
  }

  async open(id, opener = document.activeElement) {
    if (this.isDirty() && id !== this.id) await this.saveTexts();
    const item = await this.api.item(id);
    if (!item) return;
    this.opener = opener;
    this.fill(item);
    byId("panel").hidden = false;
    byId("item-name").focus({ preventScroll: true });
    document.querySelector(".panel-body").scrollTop = 0;
    this.actions.opened(id);
  }

  close() {
    if (this.isDirty()) this.saveTexts();
    byId("panel").hidden = true;
    this.item = null;
    this.opener?.focus?.();
    this.actions.opened(null);
  }

  async reload() {
    const item = await this.api.item(this.id);
    if (item) this.fill(item);
  }

  fill(item) {
    this.item = item;
    byId("item-name").value = item.name;
    load(this.editor, item.description, item.nodes);
    this.baseline = serialise(this.editor);
    byId("panel-changed").hidden = true;
    this.error(null);
    this.showFacts();
    this.showDirty();
  }

  // Called by the board whenever something may have changed.
  async refresh() {
    if (!this.item) return;
    const id = this.id;
    const item = await this.api.item(id);
    if (this.id !== id) return;
    if (!item) return this.gone();
    const before = this.item;
    if (item.updatedAt !== before.updatedAt && this.isDirty()) {
      this.keepEdits(item, before);
    } else if (item.updatedAt !== before.updatedAt) {
      if (item.description === before.description) this.followName(item);
      else this.fill(item);
    }
    this.item = { ...this.item, ...item, name: this.item.name, description: this.item.description };
    this.showFacts();
  }

  followName(item) {
    byId("item-name").value = item.name;
    this.item = item;
    this.showDirty();
  }

  keepEdits(item, before) {
    const texts = item.name !== before.name || item.description !== before.description;
    if (!texts) return;
    byId("panel-changed-text").textContent = `${item.changedBy} changed this item while you are editing.`;
    byId("panel-changed").hidden = false;
  }

  gone() {
    toast(`“${this.item.name}” has been deleted.`);
    this.item = null;
    byId("panel").hidden = true;
    this.actions.opened(null);
  }

  showFacts() {
    const { item } = this;
    const { state } = this.actions;
    byId("panel-title").textContent = item.type === "feature" ? "Feature" : "Subfeature";
    byId("panel-parent").textContent = item.parent ? `in ${item.parent}` : "";
    fillSelect(byId("item-status"), state.statuses.map((status) => [status.id, status.name]), item.status);
    const owners = state.members.filter((member) => member.mayOwn || member.id === item.owner);
    fillSelect(byId("item-owner"), [["", "Nobody"], ...owners.map((member) => [member.id, member.name])], item.owner ?? "");
    byId("item-id").textContent = item.id;
    byId("item-changed").textContent = `${ago(item.updatedAt)} by ${item.changedBy}`;
    byId("item-changed").title = new Date(item.updatedAt).toString();
    byId("item-archive").textContent = item.archived ? "Restore" : "Archive";
    byId("new-subfeature").hidden = item.type !== "feature";
    this.showConnections();
  }

  showConnections() {
    const { columns } = this.actions.state;
    byId("panel-integrations").hidden = columns.length === 0;
    const wanted = JSON.stringify([this.id, columns, this.item.cells, this.item.name]);
    if (byId("connections").dataset.shown === wanted) return;
    byId("connections").dataset.shown = wanted;
    byId("connections").replaceChildren(...columns.map((column) => this.connection(column)));
  }

  connection(column) {
    const cell = this.item.cells[column.id] ?? { state: "initial" };
    const what = cell.clicking ? STATES.progress : cell.state === "connected" ? cell.tooltip : STATES[cell.state];
    const doing = [cellButton(cell, column, this.item, this.actions)];
    if (cell.state !== "initial" && !cell.clicking) {
      const unlink = element("button", { class: "small", type: "button", "aria-label": `Unlink from ${column.name}` }, ["Unlink"]);
      unlink.addEventListener("click", () => this.actions.click(column, this.item, "button.unlink"));
      doing.push(unlink);
    }
    return element("li", {}, [
      element("div", {}, [element("div", { class: "where" }, [column.name]), element("div", { class: "what" }, [what])]),
      element("div", { class: "do" }, doing),
    ]);
  }

  saveTexts() {
    const changes = {};
    if (this.nameIsDirty()) changes.name = byId("item-name").value;
    if (this.descriptionIsDirty()) changes.description = serialise(this.editor);
    return this.save(changes);
  }

  async save(changes) {
    if (!Object.keys(changes).length) return;
    const id = this.id;
    const answer = await this.api.change(id, changes);
    if (answer.error) return this.error(answer.error);
    for (const content of answer.lost) toast(`Deleted with its anchor: ${content}.`);
    if (this.id === id) {
      this.error(null);
      if ("name" in changes) this.item.name = changes.name;
      if ("description" in changes) await this.reload();
      this.showDirty();
    }
    this.actions.refresh();
  }

  error(text) {
    byId("item-error").textContent = text ?? "";
    byId("item-error").hidden = !text;
  }

  askDelete() {
    const below = this.item.below ? ` and its ${this.item.below} subfeature${this.item.below > 1 ? "s" : ""}` : "";
    byId("delete-dialog-text").textContent = `“${this.item.name}”${below} will be deleted for good. Linked tickets are up to the integration.`;
    const dialog = byId("delete-dialog");
    dialog.showModal();
    byId("delete-cancel").onclick = () => dialog.close();
    byId("delete-confirm").onclick = async () => {
      dialog.close();
      await this.api.remove(this.id);
      this.item = null;
      byId("panel").hidden = true;
      this.actions.opened(null);
      this.actions.refresh();
    };
  }
}
