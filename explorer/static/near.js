// What lies near an expression, as it is written, and where it lies on the map.

import { goTo } from "./address.js";
import { answerBox } from "./answer.js";
import { ask } from "./ask.js";
import { expressionBox } from "./box.js";
import { askedOf, control, fill, questionOf } from "./forms.js";
import { mapBox } from "./map.js";
import { actions, errorBox, say } from "./parts.js";
import { logarithmic, weights } from "./sliders.js";
import { csvOf, make } from "./dom.js";

const MORE = ["exclude_region", "score", "top", "pieces", "estimator", "keep_inputs", "fold_norm"];

export function nearPanel() {
  let form, box, error, answer, acts, sliders, map, context, norm, heat;
  let beside = ""; // a second expression, whose answer stands beside the first
  let running = null;
  let found = null;

  function write(expression) {
    box.input.value = expression;
    beside = "";
    asked();
  }

  function append(sign, name) {
    const now = box.input.value.trim();
    write(now ? `${now} ${sign} ${name}` : sign === "-" ? `-${name}` : name);
    box.input.focus();
  }

  function draw(whole, second) {
    const { neighbours, snap } = whole.answer;
    found = whole;
    answer.show(whole, second);
    sliders.show(whole.terms);
    acts.show(whole);
    const first = neighbours.slice(0, 3).map((one) => whole.forms[one.id]).join(", ");
    say(`nearest: ${first}; the head makes ${whole.forms[snap.id]} of it`);
  }

  async function run(params) {
    running?.abort();
    running = new AbortController();
    const mine = running;
    const expression = params.get("expression") ?? "";
    const mapped = map.show(params);
    if (!expression.trim()) {
      error.show(null);
      answer.clear();
      acts.show(null);
      sliders.show([]);
      map.mark([], []);
      return;
    }
    answer.wait();
    const question = questionOf("Near", params, { source: context.source() });
    try {
      const asking = [ask("near", question, mine.signal)];
      if (beside) asking.push(ask("near", { ...question, expression: beside }, mine.signal));
      const [whole, second] = await Promise.all(asking);
      if (mine !== running) return;
      error.show(null);
      draw(whole, second);
      const ids = whole.answer.neighbours.map((one) => one.id);
      const expressions = beside ? [expression, beside] : [expression];
      mapped.then(() => { if (mine === running) map.mark(expressions, ids); });
    } catch (fault) {
      if (fault.name === "AbortError" || mine !== running) return;
      answer.age();
      acts.show(null);
      error.show(fault, expression);
    }
  }

  function asked() {
    const params = askedOf(form);
    if (beside) params.set("beside", beside);
    goTo("near", context.withSource(params));
    run(params);
  }

  async function told(said) {
    if (said.focus !== undefined) answer.light(said.focus);
    if (!said.pair) return;
    const [one, other] = await Promise.all(said.pair.map(async (id) => {
      const named = await ask("near", { source: context.source(), expression: `#${id}`, top: 1 });
      return named.names[id];
    }));
    box.input.value = `${one} + ${other}`;
    beside = `${one} - ${other}`;
    asked();
  }

  return {
    name: "near",
    title: "Near",
    build(given) {
      context = given;
      error = errorBox();
      box = expressionBox({ source: context.source, changed: () => { beside = ""; asked(); } });
      map = mapBox({ about: context.about, source: context.source, told });
      sliders = weights((expression) => write(expression));
      norm = logarithmic(control("Near", "residual_norm", { label: "residual norm", placeholder: "none" }), { least: 0.1, most: 1000, start: 1 });
      heat = logarithmic(control("Near", "temperature"), { least: 0.1, most: 10, start: 1 });
      acts = actions((whole) => [
        ["Save JSON", "near.json", "application/json", () => `${JSON.stringify(whole.answer)}\n`],
        ["Save CSV", "near.csv", "text/csv", () => csvOf(whole.answer.neighbours)],
      ]);
      answer = answerBox({ write, append, look: (id) => map.look(id) });
      const often = make("div", { class: "options" }, control("Near", "space"), control("Near", "region"), ...map.fields());
      const rare = make("details", { class: "options" }, make("summary", {}, "More"),
        control("Near", "track", { label: "follow", placeholder: "fish, 🐠" }), ...MORE.map((name) => control("Near", name)), norm.label, heat.label);
      form = make("form", { class: "ask near-form", "aria-label": "Near" }, box.outer, error, often, rare);
      form.addEventListener("submit", (event) => event.preventDefault());
      form.addEventListener("input", (event) => { if (event.target !== box.input && event.target.name) asked(); });
      const left = make("div", { class: "side" }, sliders, answer.box, acts);
      return make("section", { class: "panel near-panel", "aria-label": "Near" }, form, make("div", { class: "two" }, left, map.box));
    },
    show(params) {
      const first = context.about.sources.find((one) => one.source === context.source());
      if (!params.has("expression") && !found) params.set("expression", first.expression);
      fill(form, params);
      beside = params.get("beside") ?? "";
      for (const one of [norm, heat]) one.follow();
      run(params);
    },
    asked: () => askedOf(form),
    theme: (theme) => map.theme(theme),
    focus: () => box.input.focus(),
  };
}
