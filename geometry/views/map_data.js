// What the page knows: the arrays of the map, its colours, and how tokens are found.

const data = JSON.parse(byId("data").textContent);

function bytesOf(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
  return bytes.buffer;
}

const COUNT = data.forms.length;
const DIMENSIONS = data.dimensions;
const K = data.k;
const places = new Float32Array(bytesOf(data.places)); // COUNT x DIMENSIONS
const ids = new Int32Array(bytesOf(data.ids));
const near = new Int32Array(bytesOf(data.near)); // COUNT x K
const cosines = new Uint16Array(bytesOf(data.cosines));
const sprites = new Int16Array(bytesOf(data.sprites)); // place in the atlas, -1 for none
const codes = Object.fromEntries(
  data.properties.map((one) => [
    one.name,
    one.labels ? new Int16Array(bytesOf(one.codes)) : new Float32Array(bytesOf(one.codes)),
  ]),
);
const cosineOf = (quantised) => (quantised / 65535) * 2 - 1;

const PALETTE = data.palette;
const OTHER = data.other;
const RAMP = data.ramp;

function rgbOf(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function rampOf(share) {
  const at = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const low = Math.min(Math.floor(at), RAMP.length - 2);
  return RAMP[low].map((part, i) => Math.round(part + (RAMP[low + 1][i] - part) * (at - low)));
}

// Colours of one property: for each token red, green, blue; and what they mean.
function colouringOf(name) {
  const property = data.properties.find((one) => one.name === name);
  const code = codes[name];
  const rgb = new Uint8Array(3 * COUNT);
  const other = rgbOf(OTHER);
  if (property.labels) {
    const colours = property.labels.map((_, i) =>
      name === "cluster" ? PALETTE[i % PALETTE.length] : PALETTE[i] ?? OTHER);
    const parts = colours.map(rgbOf);
    for (let i = 0; i < COUNT; i += 1) rgb.set(code[i] < 0 ? other : parts[code[i]], 3 * i);
    const legend = property.labels.slice(0, PALETTE.length).map((label, i) => [label, colours[i]]);
    const rest = property.labels.length > PALETTE.length || code.some((c) => c < 0);
    if (name !== "cluster" && rest) legend.push(["other", OTHER]);
    return { name, rgb, legend: name === "cluster" ? [] : legend, ramp: null };
  }
  let low = Infinity;
  let high = -Infinity;
  for (const value of code) {
    if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  }
  for (let i = 0; i < COUNT; i += 1) {
    const share = (code[i] - low) / (high - low || 1);
    rgb.set(Number.isFinite(code[i]) ? rampOf(share) : other, 3 * i);
  }
  return { name, rgb, legend: [], ramp: low <= high ? [low, high] : null };
}

function valueOf(property, place) {
  const code = codes[property.name][place];
  if (property.labels) return code < 0 ? null : property.labels[code];
  return Number.isFinite(code) ? String(Number(code.toPrecision(5))) : null;
}

let haystacks = null;

// The tokens whose text, own string or id is as asked: whole ones first, then by id.
function search(words, most) {
  const asked = words.trim().toLowerCase();
  if (!asked) return { places: [], total: 0 };
  const number = /^#?(\d+)$/.exec(asked);
  haystacks ??= data.forms.map((form, i) => `${form}\n${data.tokens[i] ?? form}`.toLowerCase());
  const whole = [];
  const part = [];
  for (let i = 0; i < COUNT; i += 1) {
    if (number && ids[i] === Number(number[1])) whole.unshift(i);
    else if (!asked.startsWith("#") && haystacks[i].includes(asked)) {
      (data.forms[i].toLowerCase() === asked ? whole : part).push(i);
    }
  }
  return { places: whole.concat(part).slice(0, most), total: whole.length + part.length };
}
