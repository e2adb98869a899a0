// Sliders: the weights of a sum, the norm of a residual, a temperature.

import { make } from "./dom.js";
import { token } from "./parts.js";

const MOST = 3;

const written = (weight) => String(Number(weight.toFixed(2)));

// A sum with its weights, as an expression.
export function sumOf(terms) {
  return terms.map(({ weight, text }, place) => {
    const size = Math.abs(weight);
    const term = size === 1 ? text : `${written(size)}*${text}`;
    if (place) return ` ${weight < 0 ? "-" : "+"} ${term}`;
    return weight < 0 ? `-${term}` : term;
  }).join("");
}

// A slider for the weight of each term of a sum; changed is told the sum.
export function weights(changed) {
  const box = make("fieldset", { class: "weights", hidden: "" }, make("legend", {}, "Weights"));
  let terms = [];
  let held = null;

  function row(term, place) {
    const input = make("input", { type: "range", min: -MOST, max: MOST, step: 0.05, "aria-label": `Weight of ${term.text}` });
    const value = make("output", {}, written(term.weight));
    input.value = term.weight;
    input.addEventListener("input", () => {
      held = input;
      terms[place].weight = Number(input.value);
      value.textContent = written(terms[place].weight);
      changed(sumOf(terms));
    });
    input.addEventListener("change", () => { held = null; });
    return make("label", {}, token(term.text), input, value);
  }

  box.show = (found) => {
    if (held) return; // what is being dragged is not taken away
    terms = found.map((term) => ({ ...term }));
    box.hidden = terms.length < 2;
    box.replaceChildren(box.firstElementChild, ...(terms.length < 2 ? [] : terms.map(row)));
  };
  return box;
}

// A slider beside a number's box, by the number's logarithm; an empty box is the slider's start.
export function logarithmic(label, { least, most, start }) {
  const number = label.querySelector("input");
  const range = make("input", { type: "range", min: Math.log10(least), max: Math.log10(most), step: 0.01, "aria-label": `${number.name.replaceAll("_", " ")}, as a slider` });
  const follow = () => { range.value = Math.log10(Number(number.value) || start); };
  range.addEventListener("input", () => {
    number.value = Number((10 ** range.value).toPrecision(3));
    number.dispatchEvent(new Event("input", { bubbles: true }));
  });
  number.addEventListener("input", follow);
  label.append(range);
  follow();
  return { label, follow };
}
