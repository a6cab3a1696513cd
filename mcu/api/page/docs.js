// The routes of the server's own OpenAPI document, one panel each; nothing is loaded from elsewhere.

import { el } from "./dom.js";

const schemaOf = (found, document) => (found?.$ref ? document.components.schemas[found.$ref.split("/").pop()] : found);

function panel(path, method, route, document) {
  const schema = schemaOf(route.requestBody?.content?.["application/json"]?.schema, document);
  const rows = Object.entries(schema?.properties ?? {}).map(([name, about]) => el("tr", {},
    el("td", {}, el("code", {}, name)), el("td", { className: "small" }, schema.required?.includes(name) ? "needed" : ""),
    el("td", { className: "small muted" }, about.description ?? about.type ?? (about.anyOf ?? []).map((one) => one.type).join(", "))));
  const codes = Object.entries(route.responses).map(([code, about]) => `${code} ${about.description}`).join(" · ");
  return el("section", { className: "panel" }, el("h2", {}, `${method.toUpperCase()} ${path}`), el("p", {}, route.description ?? ""),
            rows.length ? el("table", {}, el("tbody", {}, ...rows)) : null, el("p", { className: "muted small" }, codes));
}

const found = await (await fetch("/openapi.json")).json();
const panels = Object.entries(found.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, route]) => panel(path, method, route, found)));
document.querySelector("main").append(el("div"), el("div", { className: "content" }, ...panels));
