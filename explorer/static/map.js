// The map beside the answer: which region it shows, what is placed and lit on it, what it says.

import { ask, askLong } from "./ask.js";
import { control, questionOf } from "./forms.js";
import { errorBox, frame, pageLinks, progressBox } from "./parts.js";
import { make, many } from "./dom.js";

const GONE = 409; // the server has been started again, or holds other maps
const COMPOSED = ["space", "pieces", "estimator", "fold_norm"];

// about: what the API says of its sources; told: what the map says: focus, pair
export function mapBox({ about, source, told }) {
  const error = errorBox();
  const progress = progressBox();
  const title = make("p", { class: "note" });
  const place = make("div", { class: "map-place" });
  const box = make("section", { class: "map", "aria-label": "Map" }, title, error, progress, place);
  let framed = null;
  let shown = null; // the question whose map is there, or is being made
  let there = false;
  let askedLast = null;
  let making = null;
  let running = null;
  let placing = null;
  let marks = [];
  let lit = [];
  let ready = false;

  const post = (message) => { if (ready && framed.isConnected) framed.contentWindow.postMessage(message, "*"); };

  const region = make("input", { name: "map", type: "text", list: "regions", autocomplete: "off", spellcheck: "false",
    title: "Regions with commas between them, all, or around and an expression" });
  const first = () => about.sources.find((one) => one.source === source()).map;

  function questionFrom(asked) {
    const composed = new URLSearchParams();
    for (const name of COMPOSED) if (asked.has(name)) composed.set(name, asked.get(name));
    if (asked.has("color_by")) composed.set("color_by", asked.get("color_by"));
    const wanted = asked.get("map")?.replaceAll(/^[\s,]+|[\s,]+$/g, "") || first();
    const more = { source: source() };
    if (wanted.startsWith("around ")) Object.assign(more, { regions: [null], around: wanted.slice(7), top: 500 });
    else more.regions = wanted === "all" ? [null] : wanted.split(",").map((one) => one.trim()).filter(Boolean).slice(0, 8);
    return questionOf("MapOf", composed, more);
  }

  // Shows the map of what is asked; settles when it is there, or cannot be.
  function show(asked) {
    askedLast = asked;
    region.placeholder = first();
    const question = questionFrom(asked);
    const key = JSON.stringify(question);
    if (key !== shown) {
      shown = key;
      making = draw(question);
    }
    return making;
  }

  async function draw(question) {
    there = false;
    marks = []; // they were placed on another map
    placing?.abort();
    placing = null;
    delete box.dataset.marked;
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
      there = true;
    } catch (fault) {
      if (mine !== running) return;
      shown = null;
      ready = false;
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
    if (!there) return;
    placing?.abort();
    placing = new AbortController();
    const mine = placing;
    const question = { map: JSON.parse(shown), expressions };
    const fault = { marks: [] };
    const found = expressions.length ? await ask("place", question, mine.signal).catch(({ status }) => ({ ...fault, status })) : fault;
    if (mine !== placing) return;
    if (found.status === GONE) {
      const again = askedLast;
      shown = null;
      await show(again);
      if (there && mine === placing) await mark(expressions, ids);
      return;
    }
    marks = found.marks;
    post({ marks });
    box.dataset.marked = marks.map((one) => one.name).join("\n");
  }

  window.addEventListener("message", (event) => {
    if (!framed?.isConnected || event.source !== framed.contentWindow) return;
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
      make("label", {}, make("span", {}, "map of"), region),
      control("MapOf", "color_by", { label: "map colours" }),
    ],
  };
}
