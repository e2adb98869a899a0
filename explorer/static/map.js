// The map beside the answer: which region it shows, what is placed and lit on it, what it says.

import { ask, askLong } from "./ask.js";
import { control, questionOf } from "./forms.js";
import { errorBox, frame, pageLinks, progressBox } from "./parts.js";
import { make, many } from "./dom.js";

const COMPOSED = ["space", "pieces", "estimator", "fold_norm"];

// told: what the map says: focus, pair; region: the control that says which is shown
export function mapBox({ source, told }) {
  const error = errorBox();
  const progress = progressBox();
  const title = make("p", { class: "note" });
  const place = make("div", { class: "map-place" });
  const box = make("section", { class: "map", "aria-label": "Map" }, title, error, progress, place);
  let framed = null;
  let shown = null; // the question whose map is there, or is being made
  let running = null;
  let placing = null;
  let marks = [];
  let lit = [];
  let ready = false;

  const post = (message) => { if (ready) framed.contentWindow.postMessage(message, "*"); };

  function questionFrom(asked) {
    const composed = new URLSearchParams();
    for (const name of COMPOSED) if (asked.has(name)) composed.set(name, asked.get(name));
    if (asked.has("color_by")) composed.set("color_by", asked.get("color_by"));
    const region = asked.get("map") || "emoji";
    const more = { source: source() };
    if (region.startsWith("around ")) Object.assign(more, { regions: [null], around: region.slice(7), top: 500 });
    else more.regions = region === "all" ? [null] : region.split(",").map((one) => one.trim()).filter(Boolean).slice(0, 8);
    return questionOf("MapOf", composed, more);
  }

  async function show(asked) {
    const question = questionFrom(asked);
    const key = JSON.stringify(question);
    if (key === shown) return;
    shown = key;
    running?.abort();
    running = new AbortController();
    const mine = running;
    error.show(null);
    progress.start(() => { mine.abort(); });
    try {
      const found = await askLong("map", question, { signal: mine.signal, told: progress.told });
      if (mine !== running) return;
      const said = [`${many(found.tokens)} tokens`, found.title, found.trust].filter(Boolean).join(", ");
      title.replaceChildren(make("bdi", {}, `${said}. `), ...pageLinks(found.page, "map"));
      ready = false;
      framed = frame(`Map of ${found.title}`, found.page, "?embedded");
      place.replaceChildren(framed);
    } catch (fault) {
      if (mine !== running) return;
      shown = null;
      place.replaceChildren();
      title.replaceChildren();
      error.show(fault.name === "AbortError" ? { message: "stopped; change the region to draw another" } : fault);
    } finally {
      if (mine === running) progress.hidden = true;
    }
  }

  // Places expressions, once a map is there; those of the last question alone.
  async function mark(expressions, ids) {
    lit = ids;
    post({ lit });
    if (!shown || !expressions.length) return;
    placing?.abort();
    placing = new AbortController();
    const mine = placing;
    const question = { map: JSON.parse(shown), expressions };
    const found = await ask("place", question, mine.signal).catch(() => null);
    if (mine !== placing) return;
    marks = found?.marks ?? [];
    post({ marks });
    box.dataset.marked = marks.map((one) => one.name).join("\n");
  }

  window.addEventListener("message", (event) => {
    if (!framed || event.source !== framed.contentWindow) return;
    const said = event.data ?? {};
    if (said.ready) {
      ready = true;
      const { theme } = document.documentElement.dataset;
      post({ marks, lit, ...(theme ? { theme } : {}) });
    } else told(said);
  });

  return {
    box, show, mark,
    look: (id) => post({ look: id }),
    theme: (theme) => post({ theme }),
    fields: () => [
      make("label", {}, make("span", {}, "map of"),
        make("input", { name: "map", type: "text", list: "regions", placeholder: "emoji", autocomplete: "off", spellcheck: "false",
          title: "Regions with commas between them, all, or around and an expression" })),
      control("MapOf", "color_by", { label: "map colours" }),
    ],
  };
}
