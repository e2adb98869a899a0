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
  if (lens.map) walk(moved);
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
  if (lens.map) {
    const step = lens.map.paths[chosen.position][chosen.layer];
    box.append(made("h3", "Nearest on the map"), listed("ul", step.near.map((form, place) => [form, step.cosines[place].toFixed(3)])));
  }
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

// The map: its tokens once, and over them the path of the position that is chosen.
const MAP = 700, EDGE = 44;
let onMap;

function ground() {
  const steps = lens.map.paths.flatMap(path => path.map(step => step.at));
  const all = [...lens.map.places, ...steps];
  const low = [0, 1].map(axis => Math.min(...all.map(at => at[axis])));
  const high = [0, 1].map(axis => Math.max(...all.map(at => at[axis])));
  const scale = (MAP - 2 * EDGE) / Math.max(high[0] - low[0], (high[1] - low[1]) / 1.5, 1e-9);
  const height = (high[1] - low[1]) * scale + 2 * EDGE;
  onMap = at => [(at[0] - low[0]) * scale + EDGE, height - EDGE - (at[1] - low[1]) * scale];
  const svg = drawn("svg", { id: "map", viewBox: `0 0 ${MAP} ${height.toFixed(0)}`, role: "img" });
  lens.map.forms.forEach((form, place) => {
    const [x, y] = onMap(lens.map.places[place]).map(value => value.toFixed(1));
    const token = [...form].length <= 2 ? drawn("text", { class: "token", x, y, dy: 4, "text-anchor": "middle" }, form)
      : drawn("circle", { class: "token", cx: x, cy: y, r: 1.8 });
    token.append(drawn("title", {}, form));
    svg.append(token);
  });
  for (const cluster of lens.map.clusters) {
    const [x, y] = onMap(cluster.at);
    svg.append(drawn("text", { class: "cluster", x, y, "text-anchor": "middle" }, cluster.name));
  }
  svg.append(drawn("g", { id: "path" }));
  const section = document.getElementById("over");
  section.append(svg, made("p", `${lens.map.title}: ${lens.map.trust}. A path has a step for each layer, where UMAP's transform puts it; `
    + "where its cosines with all tokens are small, the place says little.", { class: "note" }));
  section.hidden = false;
}

function walk(moved) {
  const path = document.getElementById("path"), steps = lens.map.paths[chosen.position].map(step => onMap(step.at));
  if (moved) {
    document.getElementById("map").setAttribute("aria-label", `The path of ${lens.positions[chosen.position].head} over the map of ${lens.map.title}`);
    path.replaceChildren();
    steps.forEach(([x, y], layer) => {
      const shade = { opacity: (0.15 + 0.75 * layer / Math.max(steps.length - 1, 1)).toFixed(2) }; // what is late stands out
      const [fromX, fromY] = steps[Math.max(layer - 1, 0)], dot = drawn("circle", { cx: x, cy: y, r: 3.2, ...shade });
      path.append(drawn("line", { x1: fromX, y1: fromY, x2: x, y2: y, ...shade }));
      dot.addEventListener("mouseenter", () => choose(chosen.position, layer));
      path.append(dot);
    });
    path.append(drawn("circle", { class: "at", r: 11 }), drawn("text", { class: "at", "text-anchor": "middle" }));
  }
  const [x, y] = steps[chosen.layer], ring = path.querySelector("circle.at"), name = path.querySelector("text.at");
  ring.setAttribute("cx", x);
  ring.setAttribute("cy", y);
  name.setAttribute("x", x);
  name.setAttribute("y", y - 15);
  name.textContent = `layer ${chosen.layer}`;
}

const select = document.getElementById("colour");
measures.forEach((measure, place) => select.append(made("option", measure.name, { value: place })));
select.addEventListener("change", paint);
heat();
if (lens.map) ground();
paint();
choose(0, lens.positions[0].layers.length - 1);
