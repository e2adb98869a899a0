// What the map says to a page that it stands in, and is told by it: marks, tokens, pairs of tokens.

const placeOfId = new Map(Array.from(ids, (id, place) => [id, place]));

function tell(message) {
  window.parent.postMessage(message, "*"); // ids of tokens, which are no secret
}

function setPairing(on) {
  state.pairing = on;
  byId("pair").setAttribute("aria-pressed", String(on));
  canvas.classList.toggle("pairs", on);
}

// Two tokens that were brought together: one is held and one looked at, or one dragged to the other.
function bringTogether(place, other) {
  if (place >= 0 && other >= 0 && place !== other) tell({ pair: [ids[place], ids[other]] });
}

function listen(event) {
  if (event.source !== window.parent) return;
  const { marks, lit, look, theme } = event.data ?? {};
  if (Array.isArray(marks)) {
    const atFit = Math.abs(view.scale / view.fitted - 1) < 1e-6;
    data.marks = marks;
    if (atFit) fitAll();
  }
  if (Array.isArray(lit)) state.lit = lit.map((id) => placeOfId.get(id)).filter((place) => place !== undefined);
  if (look !== undefined) state.focused = placeOfId.get(look) ?? -1;
  if (theme) {
    document.documentElement.dataset.theme = theme;
    readStyle();
  }
  redraw();
}

if (new URLSearchParams(location.search).has("embedded") && window.parent !== window) {
  document.documentElement.classList.add("embedded");
  byId("pair").hidden = false;
  byId("pair").addEventListener("click", () => setPairing(!state.pairing));
  KEYS.c = () => bringTogether(state.held, state.focused);
  state.told = (name, place) => tell({ [name]: place < 0 ? null : ids[place] });
  state.paired = bringTogether;
  window.addEventListener("message", listen);
  tell({ ready: true });
}
