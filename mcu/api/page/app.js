// The dashboard: logging in, the list of rooms, the room that is looked at, what happened, the server's figures.

import { Feed, Refused, api, logIn, resume } from "./api.js";
import { ask, button, el, keep, setText, toast } from "./dom.js";
import { RoomView } from "./room.js";
import { eventWords, language, setLanguage, t } from "./words.js";

const REFRESH_MS = 5000;
const MOST_LINES = 100;

let session = null;
let verbs = [];
let rooms = [];
let view = null;
let feed = null;
let parts = {};
let lines = [];
let timer = 0;
let soon = 0;

function theme() {
  const known = document.cookie.match(/(?:^|; )confero_theme=(light|dark)/);
  return known ? known[1] : matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
}

function setTheme(next) {
  document.documentElement.dataset.theme = next;
  document.cookie = `confero_theme=${next}; path=/; max-age=31536000; samesite=strict`;
}

function draw(...nodes) {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.body.replaceChildren(...nodes);
}

async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401 && session) return leave();
    toast(error.message || t("failed", error.status));
    return undefined;
  }
}

// ---- logging in

function switches(again) {
  return [
    button(t("language"), () => { setLanguage(language === "zh" ? "en" : "zh"); again(); }, "quiet"),
    button(t(theme() === "dark" ? "light" : "dark"), () => { setTheme(theme() === "dark" ? "light" : "dark"); again(); }, "quiet"),
  ];
}

function showLogin() {
  const user = el("input", { name: "user", autocomplete: "username", autofocus: true });
  const password = el("input", { name: "password", type: "password", autocomplete: "current-password" });
  const said = el("div", { className: "bad small", role: "alert" });
  const form = el("form", { className: "login", method: "post" }, el("h1", {}, "Confero"), el("div", { className: "muted small" }, t("login_hint")),
    el("label", {}, t("user"), user), el("label", {}, t("password"), password), said,
    el("button", { type: "submit", className: "main" }, t("login")), el("div", { className: "bar" }, ...switches(showLogin)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      session = await logIn(user.value, password.value);
      await enter();
    } catch (error) {
      setText(said, error.message || t("failed", error.status));
      password.value = "";
    }
  });
  draw(form);
  user.focus();
}

async function leave() {
  feed?.close();
  clearInterval(timer);
  session = view = feed = null;
  lines = [];
  showLogin();
}

async function logOut() {
  await attempt(() => api("DELETE", "/session"));
  if (session) await leave();
}

// ---- the page

async function enter() {
  verbs = await api("GET", "/verbs");
  feed = new Feed(receive, (isUp) => { parts.lost.hidden = isUp; if (isUp) refresh(); });
  timer = setInterval(refresh, REFRESH_MS);
  build();
  await refresh();
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (rooms.some((room) => room.name === wanted)) choose(wanted);
  else if (rooms.length) choose((rooms.find((room) => room.members) ?? rooms[0]).name);
}

function build() {
  const isAdmin = session.scope === "admin";
  parts = {
    rooms: el("div", { className: "side" }), none: el("p", { className: "muted" }, t("no_rooms")),
    main: el("div", { className: "content" }, el("section", { className: "panel muted" }, t("choose"))),
    events: el("div", { className: "events" }), facts: el("div", { className: "facts" }),
    lost: el("span", { className: "warn", hidden: true, role: "status" }, t("lost_feed")),
  };
  const add = isAdmin ? button(t("new_room"), makeRoom) : null;
  draw(
    el("header", { className: "top" }, el("h1", {}, "Confero"), el("span", { className: "muted" }, session.domain ?? ""), parts.lost,
       el("span", { className: "grow" }), el("span", { className: "muted small" }, session.user), ...switches(rebuild), button(t("logout"), logOut)),
    el("main", { className: "page" },
       el("nav", { className: "panel side" }, el("div", { className: "head" }, el("h3", {}, t("rooms")), add), parts.rooms, parts.none),
       el("div", { className: "content" }, parts.main,
          isAdmin ? el("section", { className: "panel" }, el("h3", {}, t("server")), parts.facts) : null,
          el("section", { className: "panel" }, el("h3", {}, t("events")), parts.events))));
  lines.forEach((line) => parts.events.append(lineOf(line)));
}

function rebuild() {
  const name = view?.name;
  const people = view?.people ?? [];
  build();
  view = null;
  showRooms();
  if (name) choose(name);
  view?.show(people);
  refresh();
}

async function refresh() {
  const found = await attempt(() => api("GET", "/rooms"));
  if (!found || !session) return;
  rooms = found;
  showRooms();
  if (view) {
    const room = rooms.find((one) => one.name === view.name);
    if (room) view.update(room);
    else drop();
  }
  if (session.scope === "admin") showFacts(await attempt(() => api("GET", "/server")));
}

function refreshSoon() {
  clearTimeout(soon);
  soon = setTimeout(refresh, 100);
}

function showRooms() {
  parts.none.hidden = rooms.length > 0;
  keep(parts.rooms, rooms, (room) => room.name,
    (room) => button("", () => choose(room.name), "room", { data: { room: room.name } }),
    (node, room) => {
      const words = [t(room.state === "created" ? "empty" : "open"), room.is_locked ? t("locked") : ""].filter(Boolean).join(" · ");
      if (!node.firstChild || node.firstChild.nodeType !== Node.ELEMENT_NODE) {
        node.replaceChildren(el("span", {}, room.name), el("span", { className: "count" }), el("span", { className: "muted small" }));
      }
      setText(node.children[1], String(room.members));
      setText(node.children[2], words);
      node.setAttribute("aria-current", String(view?.name === room.name));
    });
}

function choose(name) {
  const room = rooms.find((one) => one.name === name);
  if (!room) return;
  location.hash = encodeURIComponent(name);
  view = new RoomView(name, {
    verbs, may: session.scope !== "read", mayDelete: session.scope === "admin" && room.is_permanent,
    run: (verb, body = {}) => attempt(async () => { await api("POST", `/rooms/${encodeURIComponent(name)}/${verb}`, body); refreshSoon(); }),
    remove: () => attempt(async () => { await api("DELETE", `/rooms/${encodeURIComponent(name)}`); refreshSoon(); }),
  });
  view.update(room);
  view.show([]);
  parts.main.replaceChildren(view.node);
  feed.watch(name);
  showRooms();
}

function drop() {
  view = null;
  feed.watch("");
  parts.main.replaceChildren(el("section", { className: "panel muted" }, t("choose")));
}

function makeRoom() {
  ask(t("new_room"), t("create"), (form) => attempt(async () => {
    const body = Object.fromEntries(Object.entries(form).filter(([, value]) => value !== ""));
    const made = await api("POST", "/rooms", body);
    toast(made.pin ? t("made_pin", made.name, made.pin) : t("made", made.name), true);
    await refresh();
    choose(made.name);
  }), { fields: [["name", t("room_name")], ["pin", t("room_pin")], ["owner", t("owner")]] });
}

function showFacts(server) {
  if (!server) return;
  const workers = server.workers ?? [];
  const facts = [["rooms", server.rooms], ["calls", server.calls], ["workers", workers.filter((one) => one.pid).length],
                 ["restarts", workers.reduce((sum, one) => sum + one.restarts, 0)]];
  keep(parts.facts, facts, ([key]) => key, ([key]) => el("div", {}, el("b", { className: "number" }), el("span", { className: "muted small" }, t(key))),
       (node, [, value]) => setText(node.firstChild, String(value)));
}

// ---- the feed

function receive(event) {
  if (event.event === "people") {
    if (view?.name !== event.room) return;
    view.show(event.people);
    return;
  }
  if (eventWords(event)) {
    lines = [event, ...lines].slice(0, MOST_LINES);
    parts.events.prepend(lineOf(lines[0]));
    while (parts.events.children.length > MOST_LINES) parts.events.lastChild.remove();
  }
  if (event.room && view?.name === event.room) feed.watch(event.room);
  refreshSoon();
}

function lineOf(event) {
  return el("div", {}, el("time", {}, new Date(event.at * 1000).toLocaleTimeString(language)), eventWords(event));
}

document.documentElement.dataset.theme = theme();
resume().then((found) => {
  session = found.user ? found : null;
  return session ? enter() : showLogin();
}).catch(showLogin);
