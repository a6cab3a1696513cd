// Every verb of the server's table that has no button of its own: a dialog with its arguments.

import { button, el, setText } from "./dom.js";
import { language, t } from "./words.js";

const help = (verb) => (language === "zh" ? verb.help_zh : verb.help);

// verbs: the server's table; people: who can be meant; run(name, body) carries it out.
export function showMore(verbs, people, run) {
  const choose = el("select", { ariaLabel: t("verb") }, ...verbs.map((verb) => el("option", { value: verb.name }, help(verb))));
  const fields = el("div", { className: "fields" });
  const route = el("code", { className: "muted small" });
  const dialog = el("dialog", { on: { close: () => dialog.remove() } });

  function field(argument) {
    const label = argument.name + (argument.is_required ? "" : ` (${t("optional")})`);
    const choices = argument.kind === "who" ? people.map((one) => [one.id, one.name]).concat([["all", t("all")]])
      : argument.choices.map((choice) => [choice, choice]);
    const input = choices.length
      ? el("select", { name: argument.name }, ...choices.map(([value, words]) => el("option", { value }, words)))
      : el("input", { name: argument.name, required: argument.is_required, autocomplete: "off", placeholder: argument.help });
    return el("label", {}, label, input);
  }

  function change() {
    const verb = verbs.find((one) => one.name === choose.value);
    setText(route, `POST …/${verb.name}${verb.keypad ? `   ${verb.keypad}` : ""}   ${verb.chat}`);
    fields.replaceChildren(...verb.arguments.map(field));
  }

  const form = el("form", { method: "dialog" }, el("h2", {}, t("more")), el("label", {}, t("verb"), choose), fields, route,
    el("div", { className: "bar" }, button(t("cancel"), () => dialog.close()),
       el("button", { type: "submit", className: "main" }, t("do"))));
  form.addEventListener("submit", () => {
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    run(choose.value, Object.fromEntries(filled));
  });
  choose.addEventListener("change", change);
  change();
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
}
