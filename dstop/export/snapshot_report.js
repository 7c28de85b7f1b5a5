"use strict";
const TOLD = JSON.parse(document.getElementById("snapshot-data").textContent);

/* Text becomes text and nothing else: no markup is ever made of it. */
function html(name, attributes, ...content) {
  return filled(document.createElement(name), attributes, content);
}
function svg(name, attributes, ...content) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, content);
}
function filled(made, attributes, content) {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

function amount(units) {
  const bytes = units * TOLD.unit;
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  if (bytes >= 2 ** 20) return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 23 ? 1 : 0)} MiB`;
  return bytes >= 1024 ? `${Math.round(bytes / 1024)} KiB` : `${bytes} B`;
}
function count(number) {
  return number.toLocaleString("en-US");
}
function kind(number) {
  return TOLD.categories[number];
}
function title(number) {
  return TOLD.titles[kind(number)];
}
function siteOf(number) {
  const [label, category, confidence, frames] = TOLD.sites[number];
  return { label, category, confidence: TOLD.confidences[confidence], frames };
}
function swatch(category) {
  const box = svg("svg", { class: "swatch", width: 16, height: 12, "aria-hidden": "true" });
  box.append(svg("rect", { width: "100%", height: "100%", class: `k-${category}` }));
  if (document.getElementById(`c-${category}`)) {
    box.append(svg("rect", { width: "100%", height: "100%", fill: `url(#c-${category})` }));
  }
  return box;
}
function button(text, act) {
  const made = html("button", { type: "button" }, text);
  made.addEventListener("click", act);
  return made;
}
function percent(part, whole) {
  return whole ? `${Math.round((100 * part) / whole)} %` : "";
}
