"use strict";
// What a lens found: positions across, layers down. Every text is set as text.
const lens = JSON.parse(document.getElementById("data").textContent);
const COLOURS = ["#1a7f4b", "#c1121f", "#1f5fbf", "#b7791f", "#7b3fa0", "#0f8a8a", "#a0522d", "#66625a"];
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360, HEIGHT = 150, LEFT = 34, RIGHT = 8, TOP = 8, BOTTOM = 18;
let chosen = { position: 0, layer: 0 };

function made(name, text, attributes = {}) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function drawn(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// What a colour can tell: a name, a value of each layer, and how it is written.
const measures = [
  { name: "probability of the first token", of: layer => layer.top[0].p, digits: 2, share: value => value },
  { name: "entropy", of: layer => layer.entropy, digits: 2 },
  { name: "KL from the last layer", of: layer => layer.kl, digits: 2 },
  ...lens.concepts.map((concept, place) => (
    { name: `cosine with ${concept}`, of: layer => layer.cosines[place], digits: 2, share: value => Math.max(value, 0) })),
  ...(lens.chance === null ? [] : [{ name: "explained by the sum of rows", of: layer => layer.explained, digits: 2, share: value => value }]),
];

function shareOf(measure) {
  if (measure.share) return measure.share;
  const values = lens.positions.flatMap(position => position.layers.map(measure.of));
  const most = Math.max(...values, 1e-9);
  return value => value / most;
}

function paint() {
  const measure = measures[Number(document.getElementById("colour").value)];
  const share = shareOf(measure);
  for (const button of document.querySelectorAll("#heat button")) {
    const value = measure.of(lens.positions[button.dataset.position].layers[button.dataset.layer]);
    button.style.setProperty("--share", share(value).toFixed(3));
    button.lastChild.textContent = value.toFixed(measure.digits);
  }
}

function heat() {
  const table = document.getElementById("heat");
  const head = table.createTHead().insertRow();
  head.append(made("th", "layer", { scope: "col" }));
  for (const position of lens.positions) head.append(made("th", position.head, { scope: "col" }));
  const body = table.createTBody();
  lens.positions[0].layers.forEach((_, layer) => {
    const row = body.insertRow();
    row.append(made("th", String(layer), { scope: "row" }));
    lens.positions.forEach((position, place) => {
      const button = made("button", undefined, { type: "button", "aria-pressed": "false" });
      button.dataset.position = place;
      button.dataset.layer = layer;
      button.append(made("span", position.layers[layer].top[0].form), made("span", ""));
      button.addEventListener("mouseenter", () => choose(place, layer));
      button.addEventListener("focus", () => choose(place, layer));
      button.addEventListener("keydown", event => move(event, place, layer));
      row.insertCell().append(button);
    });
  });
}

function buttonAt(position, layer) {
  return document.querySelector(`#heat button[data-position="${position}"][data-layer="${layer}"]`);
}

function move(event, position, layer) {
  const steps = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  const step = steps[event.key];
  const next = step && buttonAt(position + step[0], layer + step[1]);
  if (next) { event.preventDefault(); next.focus(); }
}

function choose(position, layer) {
  const moved = position !== chosen.position || document.getElementById("charts").children.length === 0;
  buttonAt(chosen.position, chosen.layer).setAttribute("aria-pressed", "false");
  chosen = { position, layer };
  buttonAt(position, layer).setAttribute("aria-pressed", "true");
  detail();
  if (moved) charts();
  for (const line of document.querySelectorAll("line.here")) {
    const x = across(layer).toFixed(1);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }
}

function listed(kind, rows) {
  const list = made(kind);
  for (const [name, value, share] of rows) {
    const item = made("li");
    item.append(made("span", name), made("span", value));
    if (share !== undefined) item.append(made("meter", undefined, { min: 0, max: 1, value: share, "aria-label": name }));
    list.append(item);
  }
  return list;
}

function detail() {
  const position = lens.positions[chosen.position], layer = position.layers[chosen.layer];
  const box = document.getElementById("detail");
  box.replaceChildren(
    made("h2", `Layer ${chosen.layer}, ${position.head}`),
    listed("ol", layer.top.map(one => [one.becomes ? `${one.form} (${one.becomes})` : one.form, one.p.toFixed(3), one.p])),
    made("h3", "The whole distribution"),
    listed("ul", [["entropy", `${layer.entropy.toFixed(2)} nats`], ["KL from the last layer", `${layer.kl.toFixed(2)} nats`]]),
    made("h3", "Followed"),
    listed("ul", layer.tracked.map(one => [one.form, `${one.p.toPrecision(2)}, rank ${one.rank.toLocaleString("en")}`])),
  );
  if (lens.concepts.length) box.append(made("h3", `Cosines in the ${lens.space} space`),
    listed("ul", lens.concepts.map((concept, place) => [concept, layer.cosines[place].toFixed(3)])));
  if (layer.parts.length) box.append(made("h3", `As a sum of rows: ${layer.explained.toFixed(2)} explained, ${lens.chance.toFixed(2)} by chance`),
    listed("ul", layer.parts.map(one => [one.form, one.weight.toFixed(2)])));
}

function across(layer) {
  return LEFT + (WIDTH - LEFT - RIGHT) * layer / Math.max(lens.positions[0].layers.length - 1, 1);
}

function chart(caption, lines, most) {
  const figure = made("figure");
  figure.append(made("figcaption", caption));
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": caption });
  const up = value => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most);
  for (const part of [0, 0.5, 1]) {
    svg.append(drawn("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: up(part * most), y2: up(part * most) }),
      drawn("text", { x: LEFT - 4, y: up(part * most) + 3, "text-anchor": "end" }, (part * most).toFixed(most > 9 ? 0 : 1)));
  }
  const last = lens.positions[0].layers.length - 1;
  for (let layer = 0; layer <= last; layer += Math.max(Math.ceil(last / 9), 1))
    svg.append(drawn("text", { x: across(layer), y: HEIGHT - 4, "text-anchor": "middle" }, String(layer)));
  svg.append(drawn("line", { class: "here", y1: TOP, y2: HEIGHT - BOTTOM, x1: 0, x2: 0 }));
  const key = made("ul", undefined, { class: "key" });
  lines.forEach((line, place) => {
    const colour = COLOURS[place % COLOURS.length];
    const points = line.values.map((value, layer) => `${across(layer).toFixed(1)},${up(Math.min(Math.max(value, 0), most)).toFixed(1)}`);
    svg.append(drawn("polyline", { points: points.join(" "), fill: "none", stroke: colour, "stroke-width": 1.8 }));
    const item = made("li"), mark = made("i");
    mark.style.background = colour;
    item.append(mark, document.createTextNode(line.name));
    key.append(item);
  });
  figure.append(svg, key);
  return figure;
}

function charts() {
  const position = lens.positions[chosen.position], layers = position.layers;
  const followed = layers[0].tracked.map((one, place) => (
    { name: one.form, values: layers.map(layer => layer.tracked[place].p) }));
  followed.sort((one, other) => Math.max(...other.values.slice(1)) - Math.max(...one.values.slice(1)));
  const found = [chart(`Probability of followed tokens, ${position.head}`, followed.slice(0, 8), 1)];
  // The embedding is so far from the output that nothing else would be seen beside it.
  const nats = layers.slice(1).flatMap(layer => [layer.entropy, layer.kl]);
  found.push(chart(`Entropy and KL in nats, ${position.head}`, [
    { name: "entropy", values: layers.map(layer => layer.entropy) },
    { name: "KL from the last layer", values: layers.map(layer => layer.kl) },
  ], Math.max(...nats, 1)));
  if (lens.concepts.length) found.push(chart(`Cosines, ${position.head}`, lens.concepts.map((concept, place) => (
    { name: concept, values: layers.map(layer => layer.cosines[place]) })), 1));
  document.getElementById("charts").replaceChildren(...found);
}

const select = document.getElementById("colour");
measures.forEach((measure, place) => select.append(made("option", measure.name, { value: place })));
select.addEventListener("change", paint);
heat();
paint();
choose(0, lens.positions[0].layers.length - 1);
