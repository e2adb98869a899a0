// What the reader does: move, look, search, choose, save.

const state = {
  focused: -1, held: -1, chosen: [], lit: [], loop: [], choosing: false, pairing: false,
  told: () => {}, paired: () => {}, // see map_talk.js
};
const pointers = new Map();
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
let drag = null;
let wanted = false;
let settling = 0;

// Ask for a frame; once all is still, tokens are laid out for the scale.
function redraw({ moving = false } = {}) {
  clearTimeout(settling);
  if (moving && COUNT > LIVE) settling = setTimeout(() => redraw(), 140);
  const settled = !(moving && COUNT > LIVE);
  wanted = wanted || settled;
  if (redraw.asked) return;
  redraw.asked = true;
  requestAnimationFrame(() => {
    redraw.asked = false;
    draw(state, wanted);
    wanted = false;
    byId("scale").textContent = shown.gist;
  });
}

function zoom(factor, x = view.width / 2, y = view.height / 2) {
  const next = Math.min(Math.max(view.scale * factor, view.fitted / 4), view.fitted * 400);
  const [right, up] = [x - view.width / 2, view.height / 2 - y];
  view.x += right / view.scale - right / next;
  view.y += up / view.scale - up / next;
  view.scale = next;
  redraw({ moving: true });
}

function pan(right, down) {
  view.x -= right / view.scale;
  view.y += down / view.scale;
  redraw({ moving: true });
}

function turn(right, down) {
  view.yaw += right * 0.008;
  view.pitch = Math.min(Math.max(view.pitch + down * 0.008, -1.5), 1.5);
  redraw({ moving: true });
}

function flyTo(at, closer = 3) {
  const [x, y] = flat(at[0], at[1], at[2] ?? 0);
  const from = { x: view.x, y: view.y, scale: view.scale };
  const scale = Math.max(view.scale, view.fitted * closer);
  const length = calm.matches ? 1 : 350;
  const start = performance.now();
  const step = (now) => {
    const share = Math.min(Math.max((now - start) / length, 0), 1);
    const eased = share * share * (3 - 2 * share);
    view.x = from.x + (x - from.x) * eased;
    view.y = from.y + (y - from.y) * eased;
    view.scale = from.scale * (scale / from.scale) ** eased;
    redraw({ moving: share < 1 });
    if (share < 1) requestAnimationFrame(step);
  };
  step(calm.matches ? start + 1 : start);
}

const placeOf = (place) => Array.from(places.slice(DIMENSIONS * place, DIMENSIONS * (place + 1)));

// The token under a point: the nearest within reach of what is drawn of it.
function under(x, y) {
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < COUNT; i += 1) {
    const offset = shown.offsets.get(i);
    const dx = screen[2 * i] + (offset ? offset[0] : 0) - x;
    const dy = screen[2 * i + 1] + (offset ? offset[1] : 0) - y;
    const reach = offset ? Math.max(shown.size * 0.6, 9) : 7;
    const away = dx * dx + dy * dy;
    if (away < least && away <= reach * reach) { best = i; least = away; }
  }
  return best;
}

function factsOf(place) {
  const facts = [["id", `#${ids[place]}`], ["token", data.tokens[place] ?? data.forms[place]]];
  for (const property of data.properties) {
    if (property.name === "group" && property.labels.length < 2) continue;
    const value = valueOf(property, place);
    if (value !== null) facts.push([property.name, value]);
  }
  return facts;
}

function neighborsOf(place) {
  return Array.from({ length: K }, (_, n) => [
    near[place * K + n], cosineOf(cosines[place * K + n]),
  ]);
}

// A token as people read it: its picture where it has one, else its form.
function formOf(place) {
  if (sprites[place] < 0 || !data.atlas.webp) return make("bdi", { class: "code" }, data.forms[place]);
  const side = data.atlas.size;
  const picture = make("canvas", { width: side, height: side, class: "sprite", role: "img", "aria-label": data.forms[place] });
  const [column, row] = [sprites[place] % data.atlas.columns, Math.floor(sprites[place] / data.atlas.columns)];
  const paint_ = () => picture.getContext("2d").drawImage(
    atlas, column * side, row * side, side, side, 0, 0, side, side);
  if (atlas.naturalWidth) paint_(); // an image without a source is complete too
  else atlas.addEventListener("load", paint_);
  return picture;
}

function focus(place, at = null) {
  const tip = byId("hover");
  if (place === state.focused && !at) return;
  state.focused = place;
  state.told("focus", place);
  tip.hidden = place < 0;
  if (place >= 0) {
    const close = neighborsOf(place).slice(0, 6).flatMap(([i]) => [formOf(i), " "]);
    const facts = factsOf(place).slice(0, 4).map(([name, value]) => (name === "id" ? value : `${name} ${value}`));
    tip.replaceChildren(
      make("b", {}, formOf(place)), " ",
      make("span", { class: "soft" }, facts.join(", ")), make("br", {}),
      make("span", {}, close.length ? "near " : "", ...close),
    );
    const [x, y] = at ?? seenAt(place);
    const wide = tip.offsetWidth;
    const high = tip.offsetHeight;
    tip.style.left = `${Math.min(Math.max(x + 14, 4), Math.max(view.width - wide - 4, 4))}px`;
    tip.style.top = `${y + 18 + high > view.height ? Math.max(y - high - 12, 4) : y + 18}px`;
  }
  redraw();
}

function hold(place) {
  state.held = place;
  state.told("held", place);
  byId("token-box").hidden = place < 0;
  if (place >= 0) {
    byId("token-title").replaceChildren("Token ", formOf(place));
    byId("facts").replaceChildren(
      ...factsOf(place).flatMap(([name, value]) => [
        make("dt", {}, name), make("dd", {}, make("bdi", { class: "code" }, value)),
      ]),
    );
    byId("near").replaceChildren(
      ...neighborsOf(place).map(([i, cosine]) => entry(i, cosine.toFixed(3))),
    );
  }
  redraw();
}

function entry(place, note) {
  const button = make(
    "button", { type: "button" },
    formOf(place), make("span", { class: "soft" }, note),
  );
  button.addEventListener("click", () => { flyTo(placeOf(place)); hold(place); });
  return make("li", {}, button);
}

function choose(places_) {
  state.chosen = places_;
  byId("chosen-box").hidden = !places_.length;
  byId("chosen-title").textContent = `${many(places_.length)} tokens chosen`;
  byId("chosen").replaceChildren(...places_.slice(0, 200).map((i) => entry(i, `#${ids[i]}`)));
  redraw();
}

function within(loop) {
  const found = [];
  for (let i = 0; i < COUNT; i += 1) {
    const [x, y] = seenAt(i);
    let inside = false;
    for (let a = 0, b = loop.length - 1; a < loop.length; b = a, a += 1) {
      const [[ax, ay], [bx, by]] = [loop[a], loop[b]];
      if ((ay > y) !== (by > y) && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    }
    if (inside) found.push(i);
  }
  return found;
}

function rowsOfChosen() {
  return state.chosen.map((i) => {
    const row = { id: ids[i], text: data.forms[i], token: data.tokens[i] ?? data.forms[i] };
    for (const property of data.properties) row[property.name] = valueOf(property, i);
    placeOf(i).forEach((value, axis) => { row["xyz"[axis]] = value; });
    return row;
  });
}

function point(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, point(event));
  const loop = state.choosing || (event.shiftKey && DIMENSIONS === 2);
  const pair = state.pairing && !loop ? under(...point(event)) : -1;
  drag = { from: point(event), at: point(event), loop, pair, moved: false, shift: event.shiftKey };
  state.loop = loop ? [point(event)] : [];
});

canvas.addEventListener("pointermove", (event) => {
  const at = point(event);
  if (!drag || !pointers.has(event.pointerId)) {
    focus(under(...at), at);
    return;
  }
  const before = pointers.get(event.pointerId);
  if (pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const [was, is] = [before, at].map((one) => Math.hypot(one[0] - other[0], one[1] - other[1]));
    if (was > 0) zoom(is / was, (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    drag.moved = true;
  } else {
    if (Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) > 4) drag.moved = true;
    if (drag.loop) {
      state.loop.push(at);
      redraw({ moving: true });
    } else if (drag.pair >= 0) {
      state.loop = [seenAt(drag.pair), at];
      focus(under(...at), at);
    } else if (drag.moved) {
      canvas.classList.add("drags");
      (DIMENSIONS === 3 && !drag.shift ? turn : pan)(at[0] - drag.at[0], at[1] - drag.at[1]);
    }
  }
  drag.at = at;
  pointers.set(event.pointerId, at);
});

function release(event) {
  pointers.delete(event.pointerId);
  canvas.classList.remove("drags");
  if (!drag || pointers.size) return;
  const { loop, pair, moved } = drag;
  drag = null;
  if (loop && state.loop.length > 2) {
    const found = within(state.loop);
    state.loop = [];
    setChoosing(false);
    choose(found);
  } else if (!moved && event.type === "pointerup") {
    state.loop = [];
    hold(under(...point(event)));
  } else if (pair >= 0) {
    state.loop = [];
    if (event.type === "pointerup") state.paired(pair, under(...point(event)));
    redraw();
  } else {
    redraw();
  }
}

canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);
canvas.addEventListener("pointerleave", () => focus(-1));
canvas.addEventListener("dblclick", (event) => zoom(2, ...point(event)));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const size = event.deltaMode === 1 ? 16 : 1;
  zoom(Math.exp(-Math.max(Math.min(event.deltaY * size, 240), -240) * 0.0022), ...point(event));
}, { passive: false });

function walk(step) {
  const seen = [];
  for (let i = 0; i < COUNT; i += 1) {
    const [x, y] = seenAt(i);
    if (x >= 0 && y >= 0 && x <= view.width && y <= view.height) seen.push(i);
  }
  seen.sort((a, b) => screen[2 * a] - screen[2 * b] || a - b);
  if (!seen.length) return;
  const at = seen.indexOf(state.focused);
  focus(seen[at < 0 ? (step > 0 ? 0 : seen.length - 1) : (at + step + seen.length) % seen.length]);
}

function letGo() {
  state.loop = [];
  setChoosing(false);
  focus(-1);
  hold(-1);
  choose([]);
}

const KEYS = {
  ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0),
  ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
  "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4),
  0: () => { fitAll(); redraw(); },
  n: () => walk(1), p: () => walk(-1),
  Enter: () => hold(state.focused),
  Escape: letGo,
};

canvas.addEventListener("keydown", (event) => {
  const act = KEYS[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") letGo();
  if (event.key === "/" && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    byId("search").focus();
  }
});

function setChoosing(on) {
  state.choosing = on;
  byId("lasso").setAttribute("aria-pressed", String(on));
  canvas.classList.toggle("chooses", on);
}

function runSearch() {
  const { places: hits, total } = search(byId("search").value, 50);
  byId("hits").replaceChildren(...hits.map((i) => entry(i, `#${ids[i]}`)));
  const more = total > hits.length ? `, the first ${hits.length} are listed` : "";
  byId("found").textContent = byId("search").value.trim() ? `${many(total)} found${more}` : "";
  return hits;
}

byId("search").addEventListener("input", runSearch);
byId("search").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const [first] = runSearch();
  if (first !== undefined) { flyTo(placeOf(first)); hold(first); }
});
byId("closer").addEventListener("click", () => zoom(1.6));
byId("farther").addEventListener("click", () => zoom(1 / 1.6));
byId("fit").addEventListener("click", KEYS[0]);
byId("lasso").addEventListener("click", () => setChoosing(!state.choosing));
byId("csv").addEventListener("click", () => save("tokens.csv", "text/csv", csvOf(rowsOfChosen())));
byId("json").addEventListener("click", () =>
  save("tokens.json", "application/json", `${JSON.stringify(rowsOfChosen(), null, 1)}\n`));
byId("copy").addEventListener("click", () =>
  navigator.clipboard?.writeText(state.chosen.map((i) => ids[i]).join("\n")));
byId("clear").addEventListener("click", letGo);
byId("theme").addEventListener("click", () => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  readStyle();
  redraw();
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readStyle();
  redraw();
});

function showLegend() {
  const { legend, ramp } = colouring;
  const entries = legend.map(([label, colour]) => {
    const dot = make("i", {});
    dot.style.background = colour;
    return make("li", {}, dot, make("bdi", {}, label));
  });
  if (ramp) {
    const [low, high] = ramp.map((value) => String(Number(value.toPrecision(4))));
    const bar = make("li", { class: "ramp", "aria-hidden": "true" });
    bar.style.background = `linear-gradient(90deg, ${RAMP.map((rgb) => `rgb(${rgb.join(" ")})`).join(", ")})`;
    entries.push(bar, make("li", {}, `${low} to ${high}`));
  }
  byId("legend").replaceChildren(...entries);
}

function start() {
  const select = byId("colour");
  select.append(...data.properties.map(({ name }) => make("option", { value: name }, name)));
  select.value = data.color_by;
  select.addEventListener("change", () => {
    colouring = colouringOf(select.value);
    paint();
    showLegend();
    redraw();
  });
  const marked = [
    ...data.marks.map((mark) => [mark, mark.name]),
    ...data.paths.flatMap((path) => path.steps.map((step, i) => [step, `${path.name} ${i + 1}`])),
  ];
  byId("marks-box").hidden = !marked.length;
  byId("marks").append(...marked.map(([mark, name]) => {
    const button = make(
      "button", { type: "button" }, make("bdi", {}, name),
      make("span", { class: "soft" }, "→ ", formOf(mark.snap), ` ${mark.gap}°`),
    );
    button.addEventListener("click", () => flyTo(mark.at));
    return make("li", {}, button);
  }));
  showLegend();
  readStyle();
  paint();
  resize();
  fitAll();
  new ResizeObserver(() => {
    const atFit = Math.abs(view.scale / view.fitted - 1) < 1e-6;
    resize();
    if (atFit) fitAll();
    redraw();
  }).observe(canvas);
  atlas.addEventListener("load", () => redraw());
  if (data.atlas.webp) atlas.src = `data:image/webp;base64,${data.atlas.webp}`;
  redraw();
}

start();
