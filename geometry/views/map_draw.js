// How the map is drawn: where things are on the screen, what has room there, and the strokes.

const canvas = byId("map");
const pen = canvas.getContext("2d");
const atlas = new Image();
const MOST_ITEMS = 1500; // pictures and texts at once
const SPOT = 8; // CSS pixels of a place that can be too crowded for any text
const LIVE = 3000; // tokens of a map that is laid out anew in every frame
const REACH = 2.2; // of a picture's size, that it may stand from its place
const TRIES = tries();

const view = { scale: 1, x: 0, y: 0, yaw: -0.6, pitch: 0.4, fitted: 1, width: 1, height: 1, ratio: 1 };
const screen = new Float32Array(2 * COUNT); // where each token is, in CSS pixels
const depth = DIMENSIONS === 3 ? new Float32Array(COUNT) : null;
const shown = { places: [], offsets: new Map(), size: 24, dots: COUNT, gist: "" };
const style = { ink: "#000", soft: "#666", paper: "#fff", mark: "#c00", disc: "transparent" };
let colouring = colouringOf(data.color_by);
let packed = null; // colours as the screen's own words
let buffer = null;

function tries() {
  const found = [[0, 0]];
  for (const ring of [0.55, 0.85, 1.2, 1.7, REACH]) {
    const count = Math.round(10 * ring) + 4;
    for (let i = 0; i < count; i += 1) {
      const angle = (2 * Math.PI * (i + ring)) / count;
      found.push([ring * Math.cos(angle), ring * Math.sin(angle)]);
    }
  }
  return found;
}

// A place of the map on the plane of the screen, before scale and shift; and how near it is.
function flat(x, y, z) {
  if (DIMENSIONS === 2) return [x, y, 0];
  const across = Math.cos(view.yaw) * x - Math.sin(view.yaw) * y;
  const away = Math.sin(view.yaw) * x + Math.cos(view.yaw) * y;
  const up = Math.cos(view.pitch) * z + Math.sin(view.pitch) * away;
  return [across, up, Math.sin(view.pitch) * z - Math.cos(view.pitch) * away];
}

function toScreen(at) {
  const [x, y] = flat(at[0], at[1], at[2] ?? 0);
  return [
    (x - view.x) * view.scale + view.width / 2,
    view.height / 2 - (y - view.y) * view.scale,
  ];
}

function project() {
  const { scale, x, y, width, height } = view;
  if (DIMENSIONS === 2) {
    for (let i = 0; i < COUNT; i += 1) {
      screen[2 * i] = (places[2 * i] - x) * scale + width / 2;
      screen[2 * i + 1] = height / 2 - (places[2 * i + 1] - y) * scale;
    }
    return;
  }
  for (let i = 0; i < COUNT; i += 1) {
    const [across, up, nearness] = flat(places[3 * i], places[3 * i + 1], places[3 * i + 2]);
    screen[2 * i] = (across - x) * scale + width / 2;
    screen[2 * i + 1] = height / 2 - (up - y) * scale;
    depth[i] = nearness;
  }
}

function resize() {
  const box = canvas.getBoundingClientRect();
  view.ratio = Math.min(window.devicePixelRatio || 1, COUNT > 100000 ? 1 : 2);
  view.width = Math.max(box.width, 1);
  view.height = Math.max(box.height, 1);
  canvas.width = Math.round(view.width * view.ratio);
  canvas.height = Math.round(view.height * view.ratio);
  buffer = null;
}

function bounds() {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  const add = (x, y) => {
    low[0] = Math.min(low[0], x); high[0] = Math.max(high[0], x);
    low[1] = Math.min(low[1], y); high[1] = Math.max(high[1], y);
  };
  for (let i = 0; i < COUNT; i += 1) {
    const at = DIMENSIONS * i;
    const [x, y] = flat(places[at], places[at + 1], DIMENSIONS === 3 ? places[at + 2] : 0);
    add(x, y);
  }
  for (const mark of allMarks()) add(...flat(mark.at[0], mark.at[1], mark.at[2] ?? 0));
  return { low, high };
}

function allMarks() {
  return data.marks.concat(...data.paths.map((path) => path.steps));
}

function fitAll() {
  const { low, high } = bounds();
  const margin = 56;
  const wide = Math.max(high[0] - low[0], 1e-6);
  const tall = Math.max(high[1] - low[1], 1e-6);
  view.scale = Math.min((view.width - 2 * margin) / wide, (view.height - 2 * margin) / tall);
  view.scale = Math.min(Math.max(view.scale, 1e-3), 1e4);
  view.x = (low[0] + high[0]) / 2;
  view.y = (low[1] + high[1]) / 2;
  view.fitted = view.scale;
}

function readStyle() {
  const css = getComputedStyle(document.documentElement);
  for (const name of Object.keys(style)) style[name] = css.getPropertyValue(`--${name}`).trim();
}

function paint() {
  packed = new Uint32Array(COUNT);
  const { rgb } = colouring;
  for (let i = 0; i < COUNT; i += 1) {
    packed[i] = (200 << 24) | (rgb[3 * i + 2] << 16) | (rgb[3 * i + 1] << 8) | rgb[3 * i];
  }
}

// The room that a token's picture or text takes, in CSS pixels; null where it is but a dot.
const widths = new Map();

function roomOf(place, size) {
  if (sprites[place] >= 0) return [size, size];
  const form = data.forms[place];
  if (!widths.has(form)) {
    pen.font = "100px system-ui, sans-serif";
    widths.set(form, pen.measureText(form).width / 100);
  }
  const height = textHeight(size);
  return [widths.get(form) * height + 4, height * 1.15];
}

const textHeight = (size) => Math.min(Math.max(size * 0.55, 10), 20);

function itemSize() {
  let pictures = 0;
  for (let i = 0; i < COUNT && pictures < 3000; i += 1) pictures += sprites[i] >= 0;
  const even = Math.sqrt((view.width * view.height * 0.18) / Math.max(pictures, 60));
  const base = Math.min(Math.max(even, 15), 40);
  return Math.min(base * (view.scale / view.fitted) ** 0.4, 72);
}

// Which tokens are pictures or texts at this scale, and how far from their place they stand: each
// in turn takes the first free room in its reach. The others are dots, and are counted. Where one
// finds no room, no text beside it is tried: to measure each of 262,144 takes ten seconds.
function arrange() {
  const size = itemSize();
  const cell = Math.max(size, 12) * 1.6;
  const taken = new Map();
  const crowded = new Set();
  const offsets = new Map();
  const order = [];
  let inside = 0;
  const key = (x, y) => x * 65536 + y;
  const cellsOf = (x, y, wide, high) => {
    const [left, right] = [Math.floor((x - wide / 2) / cell), Math.floor((x + wide / 2) / cell)];
    const [top, low] = [Math.floor((y - high / 2) / cell), Math.floor((y + high / 2) / cell)];
    const cells = [];
    for (let column = left; column <= right; column += 1) {
      for (let row = top; row <= low; row += 1) cells.push(key(column, row));
    }
    return cells;
  };
  const free = (x, y, wide, high) => cellsOf(x, y, wide, high).every((at) =>
    (taken.get(at) ?? []).every((box) => Math.abs(box[0] - x) >= (box[2] + wide) / 2 - 1
      || Math.abs(box[1] - y) >= (box[3] + high) / 2 - 1));
  const take = (x, y, wide, high) => {
    for (const at of cellsOf(x, y, wide, high)) {
      if (!taken.has(at)) taken.set(at, []);
      taken.get(at).push([x, y, wide, high]);
    }
  };
  for (const mark of allMarks()) {
    const [x, y] = toScreen(mark.at);
    take(x, y, size, size);
  }
  const candidates = depth
    ? Array.from({ length: COUNT }, (_, i) => i).sort((a, b) => depth[b] - depth[a] || a - b)
    : null;
  for (let turn = 0; turn < COUNT; turn += 1) {
    const i = candidates ? candidates[turn] : turn;
    const [x, y] = [screen[2 * i], screen[2 * i + 1]];
    if (x < -size || y < -size || x > view.width + size || y > view.height + size) continue;
    inside += 1;
    const spot = key(Math.floor(x / SPOT), Math.floor(y / SPOT));
    if (order.length >= MOST_ITEMS || (sprites[i] < 0 && crowded.has(spot))) continue;
    const [wide, high] = roomOf(i, size);
    const step = sprites[i] >= 0 ? size : high;
    for (const [dx, dy] of TRIES) {
      const [atX, atY] = [x + dx * step, y + dy * step];
      if (free(atX, atY, wide, high)) {
        take(atX, atY, wide, high);
        offsets.set(i, [dx * step, dy * step]);
        order.push(i);
        break;
      }
    }
    if (!offsets.has(i)) crowded.add(spot);
  }
  Object.assign(shown, { places: order, offsets, size, dots: inside - order.length });
  const dots = shown.dots ? `, ${many(shown.dots)} are dots at this scale` : "";
  const moved = order.length ? `; each within ${REACH} of its width from its place` : "";
  shown.gist = `${many(inside)} of ${many(COUNT)} tokens in view${dots}${moved}`;
}

// Where a token is seen: its own place, or where its picture stands.
function seenAt(place) {
  const offset = shown.offsets.get(place) ?? [0, 0];
  return [screen[2 * place] + offset[0], screen[2 * place + 1] + offset[1]];
}

function drawDots() {
  const { ratio } = view;
  if (!buffer) buffer = pen.createImageData(canvas.width, canvas.height);
  const words = new Uint32Array(buffer.data.buffer);
  words.fill(0);
  const zoom = (view.scale / view.fitted) ** 0.35;
  const radius = Math.min((COUNT > 50000 ? 0.7 : COUNT > 5000 ? 1.1 : 1.8) * zoom, 5) * ratio;
  const [wide, high] = [canvas.width, canvas.height];
  const spots = [];
  const reach = Math.floor(radius);
  for (let dy = -reach; dy <= reach; dy += 1) {
    for (let dx = -reach; dx <= reach; dx += 1) {
      if (dx * dx + dy * dy <= radius * radius) spots.push(dy * wide + dx);
    }
  }
  const items = shown.offsets;
  for (let i = 0; i < COUNT; i += 1) {
    const x = Math.round(screen[2 * i] * ratio);
    const y = Math.round(screen[2 * i + 1] * ratio);
    if (x < reach || y < reach || x >= wide - reach || y >= high - reach || items.has(i)) continue;
    const at = y * wide + x;
    const word = packed[i];
    for (let s = 0; s < spots.length; s += 1) words[at + spots[s]] = word;
  }
  pen.putImageData(buffer, 0, 0);
}

function drawItems() {
  const { size } = shown;
  const { rgb } = colouring;
  const [columns, side] = [data.atlas.columns, data.atlas.size];
  const height = textHeight(size);
  pen.font = `${height}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  const order = depth ? [...shown.places].reverse() : shown.places;
  for (const i of order) {
    const [x, y] = seenAt(i);
    if (x < -size || y < -size || x > view.width + size || y > view.height + size) continue;
    const colour = `rgb(${rgb[3 * i]} ${rgb[3 * i + 1]} ${rgb[3 * i + 2]}`;
    if (sprites[i] >= 0) {
      pen.beginPath();
      pen.arc(x, y, size * 0.56, 0, 2 * Math.PI);
      pen.fillStyle = style.disc; // under pictures that are black lines, where the page is dark
      pen.fill();
      pen.fillStyle = `${colour} / .22)`;
      pen.fill();
      const [column, row] = [sprites[i] % columns, Math.floor(sprites[i] / columns)];
      pen.drawImage(atlas, column * side, row * side, side, side, x - size / 2, y - size / 2, size, size);
    } else {
      halo(data.forms[i], x, y, `${colour})`, 3);
    }
  }
}

function halo(text, x, y, colour, width) {
  pen.strokeStyle = style.paper;
  pen.lineWidth = width;
  pen.strokeText(text, x, y);
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

function drawLabels() {
  const boxes = [];
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (const cluster of data.clusters) {
    const [x, y] = toScreen(cluster.at);
    if (x < 0 || y < 0 || x > view.width || y > view.height) continue;
    const height = Math.min(12 + Math.sqrt(cluster.size / COUNT) * 8, 16);
    pen.font = `600 ${height}px system-ui, sans-serif`;
    const wide = pen.measureText(cluster.name).width;
    const above = y - shown.size * 0.9;
    const box = [x - wide / 2 - 4, above - height / 2 - 2, x + wide / 2 + 4, above + height / 2 + 2];
    if (boxes.some((b) => b[0] < box[2] && box[0] < b[2] && b[1] < box[3] && box[1] < b[3])) continue;
    boxes.push(box);
    const own = colouring.name === "cluster";
    halo(cluster.name, x, above, own ? `color-mix(in srgb, ${cluster.colour} 55%, ${style.ink})` : style.ink, 4);
  }
}

function drawBreaks() {
  pen.strokeStyle = style.soft;
  pen.lineWidth = 1.5;
  for (const island of data.breaks) {
    const [startX, startY] = toScreen(island.start);
    const [endX, endY] = toScreen(island.end);
    const length = Math.hypot(endX - startX, endY - startY) || 1;
    const [alongX, alongY] = [(endX - startX) / length, (endY - startY) / length];
    pen.setLineDash([1, 4]);
    line(startX, startY, endX, endY);
    pen.setLineDash([]);
    for (const side of [-3.5, 3.5]) {
      const [x, y] = [(startX + endX) / 2 + side * alongX, (startY + endY) / 2 + side * alongY];
      const [upX, upY] = [-alongY * 7 + alongX * 3, alongX * 7 + alongY * 3];
      line(x - upX, y - upY, x + upX, y + upY);
    }
  }
}

function line(fromX, fromY, toX, toY) {
  pen.beginPath();
  pen.moveTo(fromX, fromY);
  pen.lineTo(toX, toY);
  pen.stroke();
}

function arrow(fromX, fromY, toX, toY, gap) {
  const length = Math.hypot(toX - fromX, toY - fromY);
  if (length < gap + 4) return;
  const [alongX, alongY] = [(toX - fromX) / length, (toY - fromY) / length];
  const [tipX, tipY] = [toX - alongX * gap, toY - alongY * gap];
  line(fromX, fromY, tipX, tipY);
  pen.beginPath();
  pen.moveTo(tipX, tipY);
  pen.lineTo(tipX - alongX * 9 - alongY * 4, tipY - alongY * 9 + alongX * 4);
  pen.lineTo(tipX - alongX * 9 + alongY * 4, tipY - alongY * 9 - alongX * 4);
  pen.fill();
}

function drawMarks() {
  const ring = Math.max(shown.size * 0.6, 9);
  pen.lineWidth = 1.8;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (const path of data.paths) {
    pen.strokeStyle = style.mark;
    pen.beginPath();
    path.steps.forEach((step, i) => pen[i ? "lineTo" : "moveTo"](...toScreen(step.at)));
    pen.stroke();
    pen.font = "600 11px system-ui, sans-serif";
    path.steps.forEach((step, i) => {
      const [x, y] = toScreen(step.at);
      halo(String(i + 1), x, y - 9, style.mark, 3);
    });
  }
  for (const mark of data.marks) {
    const [x, y] = toScreen(mark.at);
    const [snapX, snapY] = seenAt(mark.snap);
    const away = Math.hypot(snapX - x, snapY - y) || 1;
    pen.strokeStyle = style.mark;
    pen.fillStyle = style.mark;
    pen.setLineDash([5, 3]);
    pen.beginPath();
    pen.arc(x, y, ring, 0, 2 * Math.PI);
    pen.stroke();
    pen.setLineDash([]);
    const start = Math.min(ring, away);
    arrow(x + ((snapX - x) * start) / away, y + ((snapY - y) * start) / away, snapX, snapY, shown.size / 2);
    pen.font = "700 13px system-ui, sans-serif";
    halo(`${mark.name}, ${mark.gap}° off`, x, y + ring + 12, style.mark, 4);
  }
}

function drawFocus({ focused, held, chosen, lit, loop }) {
  for (const i of lit) ringAt(i, 1.4, style.mark);
  if (held >= 0) {
    const [x, y] = seenAt(held);
    pen.strokeStyle = style.ink;
    pen.lineWidth = 1.2;
    for (let n = 0; n < K; n += 1) line(x, y, ...seenAt(near[held * K + n]));
    for (let n = 0; n < K; n += 1) ringAt(near[held * K + n], 1.6);
    ringAt(held, 2.6);
  }
  if (focused >= 0 && focused !== held) ringAt(focused, 2);
  if (chosen.length && chosen.length <= 20000) {
    pen.fillStyle = style.mark;
    for (const i of chosen) {
      const [x, y] = seenAt(i);
      pen.fillRect(x - 1.5, y + shown.size / 2, 3, 3);
    }
  }
  if (loop.length > 1) {
    pen.strokeStyle = style.mark;
    pen.setLineDash([4, 3]);
    pen.beginPath();
    loop.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](x, y));
    pen.stroke();
    pen.setLineDash([]);
  }
}

function ringAt(place, width, colour = style.ink) {
  const [x, y] = seenAt(place);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.beginPath();
  pen.arc(x, y, shown.offsets.has(place) ? shown.size * 0.62 : 6, 0, 2 * Math.PI);
  pen.stroke();
}

function draw(state, settled) {
  project();
  if (settled || COUNT <= LIVE) arrange();
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  drawDots();
  pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
  drawItems();
  drawBreaks();
  drawLabels();
  drawMarks();
  drawFocus(state);
}
