"use strict";
// The page's own script: language, messages behind the arrows, plots. All text enters as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const words = data.words;
let language = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";

function make(name, attributes = {}, text = null) {
  const svg = ["svg", "path", "line", "text", "rect"].includes(name);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  return node;
}

function speak() {
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = words[node.dataset.word][language];
  for (const node of document.querySelectorAll("[data-en]")) node.textContent = node.dataset[language] || node.dataset.en;
}

function show(call, number) {
  const message = data.messages[number];
  const panel = document.getElementById("message-" + call);
  if (!message || !panel) return;
  for (const other of panel.closest(".call").querySelectorAll("g.chosen")) other.classList.remove("chosen");
  for (const row of panel.closest(".call").querySelectorAll(`g[data-number="${number}"]`)) row.classList.add("chosen");
  const pre = make("pre");
  message.text.split("\n").forEach((line, index) => {
    const name = /^[A-Za-z-]{1,40}:/.exec(line);
    if (index === 0) pre.append(make("span", {class: "first"}, line));
    else if (name) pre.append(make("span", {class: "name"}, name[0]), line.slice(name[0].length));
    else pre.append(line);
    pre.append("\n");
  });
  const comment = message.comment ? [make("div", {class: "comment"}, message.comment)] : [];
  panel.replaceChildren(make("div", {class: "soft"}, `#${number}  ${message.from} → ${message.to}`), ...comment, pre);
}

const kinds = [["delta", "ms"], ["jitter", "ms"], ["loss", "%"], ["rate", "kbit/s"], ["mos", ""]];

function plot(stream, kind, unit) {
  const values = stream.points[kind], times = stream.points.at, wide = 300, high = 92, left = 34, floor = 74;
  const box = make("div", {class: "plot " + kind}), title = make("div", {class: "title"});
  const readout = make("span", {class: "soft"});
  title.append(make("b", {"data-word": "plot_" + kind}), readout);
  const known = values.filter(value => value !== null);
  const top = kind === "mos" ? 5 : (Math.max(0, ...known) || 1) * 1.1;
  const end = Math.max(stream.step, times[times.length - 1] + stream.step);
  const x = at => left + (wide - left - 4) * at / end, y = value => floor - (floor - 8) * Math.min(value, top) / top;
  const svg = make("svg", {viewBox: `0 0 ${wide} ${high}`, role: "img"});
  for (const share of [0, 0.5, 1]) {
    const value = kind === "mos" ? 5 * share : top / 1.1 * share;
    svg.append(make("line", {class: "axis", x1: left, x2: wide - 4, y1: y(value), y2: y(value)}));
    svg.append(make("text", {x: left - 4, y: y(value) + 3, "text-anchor": "end"}, value >= 100 ? value.toFixed(0) : value.toPrecision(2)));
  }
  svg.append(make("text", {x: left, y: high - 4}, "0 s"), make("text", {x: wide - 4, y: high - 4, "text-anchor": "end"}, end.toFixed(1) + " s"));
  let line = "", area = "", run = [];
  const close = () => {
    if (!run.length) return;
    line += "M" + run.join("L");
    area += `M${run[0].split(" ")[0]} ${floor}L` + run.join("L") + `L${run[run.length - 1].split(" ")[0]} ${floor}Z`;
    run = [];
  };
  values.forEach((value, index) => {
    if (value === null) return close();
    run.push(`${x(times[index]).toFixed(1)} ${y(value).toFixed(1)}`, `${x(times[index] + stream.step).toFixed(1)} ${y(value).toFixed(1)}`);
  });
  close();
  const hair = make("line", {class: "hair", y1: 4, y2: floor, visibility: "hidden"});
  svg.append(make("path", {class: "area", d: area}), make("path", {class: "curve", d: line}), hair);
  const summary = known.length ? (kind === "mos" ? Math.min(...known) : Math.max(...known)) : null;
  const rest = () => { readout.textContent = summary === null ? "–" : `${kind === "mos" ? "≥" : "≤"} ${summary} ${unit}`; };
  svg.addEventListener("mousemove", event => {
    const bounds = svg.getBoundingClientRect();
    const at = ((event.clientX - bounds.left) / bounds.width * wide - left) / (wide - left - 4) * end;
    const index = Math.max(0, Math.min(values.length - 1, Math.floor(at / stream.step)));
    hair.setAttribute("x1", x(times[index])); hair.setAttribute("x2", x(times[index])); hair.setAttribute("visibility", "visible");
    readout.textContent = `${times[index].toFixed(1)} s: ${values[index] === null ? "–" : values[index] + " " + unit}`;
  });
  svg.addEventListener("mouseleave", () => { hair.setAttribute("visibility", "hidden"); rest(); });
  rest();
  box.append(title, svg);
  return box;
}

data.streams.forEach((stream, index) => {
  const place = document.getElementById("plots-" + index);
  if (place && stream.points.at.length) for (const [kind, unit] of kinds) place.append(plot(stream, kind, unit));
});

for (const row of document.querySelectorAll("g[data-number]")) {
  const call = row.closest(".call"), number = row.dataset.number;
  if (!call || !data.messages[number]) continue;
  row.setAttribute("tabindex", "0");
  row.addEventListener("click", () => show(call.dataset.call, number));
  row.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(call.dataset.call, number); } });
}
for (const call of document.querySelectorAll(".call")) {
  const first = [...call.querySelectorAll("g[data-number]")].find(row => data.messages[row.dataset.number]);
  if (first) show(call.dataset.call, first.dataset.number);
}
document.getElementById("language").addEventListener("click", () => { language = language === "en" ? "zh" : "en"; speak(); });
speak();
