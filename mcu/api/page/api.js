// The server: requests with the session's secret, and the event feed, which is opened again when it breaks.

let csrf = "";

export class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

export async function api(method, path, body) {
  const headers = { "X-Confero-Page": "1", "X-CSRF-Token": csrf };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, { method, headers, credentials: "same-origin", body: body && JSON.stringify(body) });
  } catch {
    throw new Refused(0, "");
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, found.error ?? "");
  return found;
}

export async function logIn(user, password) {
  const session = await api("POST", "/session", { user, password });
  csrf = session.csrf;
  return session;
}

export async function resume() {
  const session = await api("GET", "/session");
  csrf = session.csrf;
  return session;
}

export class Feed {
  constructor(receive, changed) {
    this.receive = receive;
    this.changed = changed;
    this.watched = "";
    this.isOver = false;
    this.pause = 500;
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/api/v1/events`);
    this.socket.onopen = () => {
      this.pause = 500;
      this.changed(true);
      this.watch(this.watched);
    };
    this.socket.onmessage = (message) => this.receive(JSON.parse(message.data));
    this.socket.onclose = () => {
      if (this.isOver) return;
      this.changed(false);
      setTimeout(() => this.isOver || this.open(), this.pause);
      this.pause = Math.min(this.pause * 2, 10000);
    };
  }

  watch(room) {
    this.watched = room;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ watch: room }));
  }

  close() {
    this.isOver = true;
    this.socket.close();
  }
}
