// One room: its buttons, its people with their figures, its lobby. Buttons are there for the verbs that the server has.

import { ask, button, el, keep, setText } from "./dom.js";
import { showMore } from "./more.js";
import { t } from "./words.js";

const COLOURS = ["#5865f2", "#1a7a42", "#a84d1a", "#c22f82", "#28759c", "#8746bd", "#8a6512", "#c2393e"];
const ROLES = ["co-host", "presenter", "attendee", "listener"];
const BUTTONS = new Set(["mute", "unmute", "mute-all", "lock", "unlock", "record", "close", "invite", "kick", "admit", "deny",
                         "lower-hand", "appoint", "transfer"]);
const COLUMNS = ["name", "level", "loss", "jitter", "mos", "media"];

export class RoomView {
  // run(verb, arguments) carries out a verb of this room; verbs: those that the server has; may: whether we may run it.
  constructor(name, { run, remove, verbs, may, mayDelete }) {
    const has = (verb) => verbs.some((one) => one.name === verb);
    Object.assign(this, { name, run, has, may, people: [] });
    this.state = el("span", { className: "muted" });
    this.record = el("span", { className: "chip rec", hidden: true }, t("recording"));
    this.lock = this.verb(t("lock"), () => run(this.isLocked ? "unlock" : "lock"), "lock");
    this.muteAll = this.verb(t("mute_all"), () => (has("mute-all") ? run("mute-all") : run("mute", { who: "all" })), "mute-all");
    this.recordButton = has("record")
      ? this.verb(t("record"), () => run("record", { action: this.isRecorded ? "stop" : "start" }), "record") : null;
    const close = this.verb(t("close"), () => ask(t("sure_close", name), t("close"), () => run("close"), { kind: "danger" }),
                            "close", "danger");
    const others = verbs.filter((verb) => !BUTTONS.has(verb.name));
    const more = this.verb(t("more"), () => showMore(others, this.people, run), "more");
    const forget = mayDelete ? button(t("delete"), () => ask(t("sure_delete", name), t("delete"), remove, { kind: "danger" })) : null;
    this.rows = el("tbody");
    this.nobody = el("p", { className: "muted" }, t("nobody"));
    this.waiting = el("tbody");
    this.lobby = el("section", { className: "panel", hidden: true }, el("h3", {}, t("lobby")),
                    el("div", { className: "table" }, el("table", {}, this.waiting)));
    const heads = [...COLUMNS.map((key) => el("th", {}, t(key))), el("th", {})];
    this.node = el("div", { className: "content" },
      el("section", { className: "panel bar" }, el("h2", {}, name), this.state, this.record, el("span", { className: "grow" }),
         this.lock, this.muteAll, this.recordButton, more, close, forget),
      may ? this.inviting() : null, this.lobby,
      el("section", { className: "panel" }, el("h3", {}, t("people")),
         el("div", { className: "table" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads)), this.rows)), this.nobody));
  }

  verb(words, action, name, kind = "") {
    return button(words, action, kind, { hidden: !this.may, data: { verb: name } });
  }

  inviting() {
    const target = el("input", { placeholder: t("invite_hint"), className: "grow", ariaLabel: t("invite"), autocomplete: "off" });
    const send = () => {
      if (!target.value.trim()) return;
      if (this.has("invite")) this.run("invite", { uri: target.value.trim() });
      else this.run("dial", { target: target.value.trim() });
      target.value = "";
    };
    return el("form", { className: "panel bar", on: { submit: (event) => { event.preventDefault(); send(); } } }, target,
              el("button", { type: "submit" }, t("invite")));
  }

  update(room) {
    this.isLocked = room.is_locked;
    this.isRecorded = ["start", "resume", "pause"].includes(room.recording);
    const words = [t(room.state === "created" ? "empty" : "open"), room.is_locked ? t("locked") : "",
                   room.is_permanent ? t("permanent") : ""];
    setText(this.state, words.filter(Boolean).join(" · "));
    setText(this.lock, t(room.is_locked ? "unlock" : "lock"));
    this.record.hidden = !this.isRecorded;
    if (this.recordButton) setText(this.recordButton, t(this.isRecorded ? "record_stop" : "record"));
    this.lock.disabled = this.muteAll.disabled = room.state === "created";
  }

  show(people) {
    this.people = people;
    const members = people.filter((one) => !one.is_in_lobby);
    const waiting = people.filter((one) => one.is_in_lobby);
    keep(this.rows, members, (one) => one.id, (one) => this.makeRow(one), (row, one) => this.updateRow(row, one));
    keep(this.waiting, waiting, (one) => one.id, (one) => this.makeWaiting(one), () => {});
    this.nobody.hidden = members.length > 0;
    this.rows.parentNode.hidden = members.length === 0;
    this.lobby.hidden = waiting.length === 0;
  }

  makeRow(one) {
    const cell = () => el("td", { className: "number small" });
    const row = el("tr", { data: { id: one.id } }, el("td", {}, who(one)),
      el("td", {}, el("div", { className: "level", role: "img" }, el("div"))), cell(), cell(), cell(), cell(),
      el("td", {}, el("div", { className: "acts" })));
    row.cells[5].append(el("div"), el("div", { className: "muted" }), el("div", { className: "muted" }));
    row.cells[2].append(el("div"), el("div"));
    if (this.may) this.addActions(row.querySelector(".acts"), one, row);
    return row;
  }

  addActions(acts, one, row) {
    const about = (verb, more = {}) => this.run(verb, { who: one.id, ...more });
    acts.append(button(t("mute"), () => about(row.dataset.muted ? "unmute" : "mute"), "", { data: { verb: "mute" } }));
    if (this.has("appoint")) acts.append(this.roles(about));
    if (this.has("lower-hand")) acts.append(button(t("lower_hand"), () => about("lower-hand"), "", { data: { verb: "lower-hand" } }));
    acts.append(button(t("kick"), () => ask(t("sure_kick", one.name), t("kick"), () => about("kick"), { kind: "danger" }), "",
                       { data: { verb: "kick" } }));
  }

  roles(about) {
    const choose = el("select", { ariaLabel: t("role"), data: { verb: "role" } },
      ...["host", ...ROLES].map((role) => el("option", { value: role }, t(role))));
    choose.addEventListener("change", () => {
      if (choose.value === "host") about("transfer");
      else about("appoint", { role: choose.value });
    });
    return choose;
  }

  updateRow(row, one) {
    const level = one.is_muted ? 0 : Math.max(0, Math.min(100, 100 + one.level_dbov * 1.43));
    row.classList.toggle("speaks", Boolean(one.is_speaking));
    row.classList.toggle("is-muted", one.is_muted);
    row.dataset.muted = one.is_muted ? "1" : "";
    const [name, meter, loss, jitter, mos, media] = row.cells;
    setText(name.querySelector(".name"), one.name);
    const notes = [t(one.role), one.is_muted ? t("muted") : "", one.is_held ? t("held") : "", one.hand ? t("hand") : ""];
    setText(name.querySelector(".notes"), notes.filter(Boolean).join(" · "));
    meter.firstChild.firstChild.style.width = `${Math.round(level)}%`;
    for (const [at, lost] of [one.loss_percent, one.video ? one.video_loss_percent : undefined].entries()) {
      figure(loss.children[at], lost, (value) => `${value.toFixed(1)} %`, (value) => (value > 5 ? "bad" : value > 1 ? "warn" : ""));
    }
    loss.children[1].hidden = !one.video;
    figure(jitter, one.jitter_ms, (value) => `${value.toFixed(0)} ms`, (value) => (value > 50 ? "bad" : value > 25 ? "warn" : ""));
    figure(mos, one.mos, (value) => value.toFixed(1), (value) => (value < 3 ? "bad" : value < 3.8 ? "warn" : "good"));
    setText(media.firstChild, t(one.is_protected ? "encrypted" : "plain"));
    media.firstChild.className = one.is_protected ? "good" : "warn";
    setText(media.children[1], one.codec ?? "–");
    setText(media.lastChild, one.video ? `${one.video} ${one.video_kbps} kbit/s` : "");
    media.title = one.protection ?? "";
    const mute = row.querySelector("[data-verb=mute]");
    if (mute) setText(mute, t(one.is_muted ? "unmute" : "mute"));
    const hand = row.querySelector("[data-verb=lower-hand]");
    if (hand) hand.hidden = !one.hand;
    const role = row.querySelector("[data-verb=role]");
    if (role && document.activeElement !== role) role.value = one.role;
  }

  makeWaiting(one) {
    const act = (verb, kind = "") => button(t(verb), () => this.run(verb, { who: one.id }), kind, { data: { verb } });
    return el("tr", {}, el("td", {}, who(one)),
              el("td", {}, el("div", { className: "acts" }, ...(this.may ? [act("admit", "main"), act("deny")] : []))));
  }
}

function figure(cell, value, words, judge) {
  const isKnown = value !== null && value !== undefined;
  setText(cell, isKnown ? words(value) : "–");
  cell.className = `number small ${isKnown ? judge(value) : ""}`;
}

function who(one) {
  const initials = one.name.split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? "").join("").toUpperCase() || "?";
  const avatar = el("div", { className: "avatar", ariaHidden: "true" }, initials);
  avatar.style.background = COLOURS[[...one.name].reduce((sum, sign) => sum + sign.codePointAt(0), 0) % COLOURS.length];
  return el("div", { className: "who" }, avatar, el("div", {}, el("div", { className: "name" }, one.name),
                                                    el("div", { className: "muted small notes" })));
}
