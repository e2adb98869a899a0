// The box that an expression is written in: it completes names, functions and directions.

import { ask } from "./ask.js";
import { make } from "./dom.js";

// A combobox as WAI-ARIA has it: arrows go through what is offered, Tab or Enter takes it, Escape
// shuts it.
export function expressionBox({ source, changed, label = "Expression", at = "near" }) {
  const id = `box-${at}`;
  const list = make("ul", { id: `${id}-list`, role: "listbox", class: "offered", "aria-label": "What could be written", hidden: "" });
  const input = make("input", {
    id, name: "expression", type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: 2000,
    role: "combobox", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list",
    placeholder: "king - man + woman",
  });
  const box = make("label", { class: "box" }, make("span", {}, label), input);
  const outer = make("div", { class: "box-outer" }, box, list);
  let offer = { start: 0, end: 0, options: [] };
  let chosen = -1;
  let asking = null;

  function shut() {
    asking?.abort();
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function mark(place) {
    chosen = place;
    for (const [at, item] of Array.from(list.children).entries()) item.setAttribute("aria-selected", String(at === place));
    if (place < 0) input.removeAttribute("aria-activedescendant");
    else {
      input.setAttribute("aria-activedescendant", list.children[place].id);
      list.children[place].scrollIntoView({ block: "nearest" });
    }
  }

  function take(place) {
    const { text } = offer.options[place];
    input.value = input.value.slice(0, offer.start) + text + input.value.slice(offer.end);
    const at = offer.start + text.length;
    input.setSelectionRange(at, at);
    shut();
    changed();
  }

  // Places of the API are characters; those of a script are halves of some.
  const halves = (text, place) => Array.from(text).slice(0, place).join("").length;

  async function offerSome() {
    asking?.abort();
    asking = new AbortController();
    const before = input.value.slice(0, input.selectionStart);
    if (!/[\p{L}\p{N}_#]$/u.test(before)) { shut(); return; }
    const question = { source: source(), expression: input.value, place: Array.from(before).length };
    const found = await ask("complete", question, asking.signal).catch(() => null);
    if (!found || document.activeElement !== input) return;
    const held = offer.options[chosen]?.text;
    offer = { ...found, start: halves(input.value, found.start), end: halves(input.value, found.end) };
    const written = input.value.slice(offer.start, offer.end);
    offer.options = offer.options.filter((one) => one.text !== written);
    list.replaceChildren(...offer.options.map(({ text, what }, place) => {
      const item = make("li", { id: `${list.id}-${place}`, role: "option", "aria-selected": "false" }, make("bdi", {}, text), make("span", { class: "small" }, what));
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(place); });
      return item;
    }));
    list.hidden = !offer.options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    mark(offer.options.findIndex(({ text }) => text === held));
  }

  input.addEventListener("input", () => { changed(); offerSome(); });
  input.addEventListener("blur", shut);
  input.addEventListener("keydown", (event) => {
    const count = offer.options.length;
    if (list.hidden || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); mark((chosen + step + count + (chosen < 0 && step < 0 ? 1 : 0)) % count); }
    else if (event.key === "Escape") { event.stopPropagation(); shut(); }
    else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) { event.preventDefault(); take(chosen); }
  });
  return { outer, input };
}
