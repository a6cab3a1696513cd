// Small help with the document. Text is always put in as text; nothing here or elsewhere on the page parses HTML.

import { t } from "./words.js";

export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") for (const [event, action] of Object.entries(value)) made.addEventListener(event, action);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function button(words, action, kind = "", props = {}) {
  return el("button", { type: "button", className: kind, on: { click: action }, ...props }, words);
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Keeps one child of `parent` for each item, in order: made once, updated afterwards, so that a click is never lost.
export function keep(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, at) => {
    const key = String(keyOf(item));
    let child = old.get(key);
    old.delete(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
  for (const child of old.values()) child.remove();
}

let toastTimer = 0;

export function toast(words, isWell = false) {
  document.querySelector(".toast")?.remove();
  document.body.append(el("div", { className: isWell ? "toast well" : "toast", role: "status" }, words));
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => document.querySelector(".toast")?.remove(), isWell ? 20000 : 8000);
}

// Asks with a dialog; fields: [name, label] pairs. Calls `then` with what was filled in.
export function ask(words, action, then, { fields = [], kind = "main" } = {}) {
  const inputs = fields.map(([name, label]) => el("label", {}, label, el("input", { name, autocomplete: "off" })));
  const form = el("form", { method: "dialog" }, el("h2", {}, words), ...inputs, el("div", { className: "bar" },
    button(t("cancel"), () => dialog.close()), el("button", { type: "submit", className: kind }, action)));
  const dialog = el("dialog", { on: { close: () => dialog.remove() } }, form);
  form.addEventListener("submit", () => then(Object.fromEntries(new FormData(form))));
  document.body.append(dialog);
  dialog.showModal();
}
