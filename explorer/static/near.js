// What lies near an expression, as it is written, and where it lies on the map.

import { ask } from "./ask.js";
import { goTo } from "./address.js";
import { expressionBox } from "./box.js";
import { askedOf, control, fill, questionOf } from "./forms.js";
import { mapBox } from "./map.js";
import { actions, barOf, dots, errorBox, say, token } from "./parts.js";
import { logarithmic, weights } from "./sliders.js";
import { csvOf, make } from "./dom.js";

const MORE = ["exclude_region", "score", "top", "pieces", "estimator", "track", "keep_inputs", "fold_norm"];

export function nearPanel() {
  let form, box, error, answer, acts, sliders, map, context, norm, heat;
  let beside = ""; // a second expression, whose answer stands beside the first
  let running = null;
  let found = null;

  const rowOf = (id) => answer.querySelector(`[data-id="${id}"]`);

  function lightUp(id) {
    for (const row of answer.querySelectorAll(".looked")) row.classList.remove("looked");
    if (id !== null) rowOf(id)?.classList.add("looked");
  }

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

  function neighbour(one, { forms, names, answer: said }, most) {
    const alike = said.neighbours.some((other) => other.id !== one.id && forms[other.id] === forms[one.id]);
    const name = names[one.id];
    const sign = (mark, what) => {
      const button = make("button", { type: "button", class: "sign", "aria-label": `${what} ${forms[one.id]}`, title: `${what} ${name}` }, mark);
      button.addEventListener("click", () => append(mark === "+" ? "+" : "-", name));
      return button;
    };
    const take = make("button", { type: "button", class: "take", title: `#${one.id}: ${one.token}` }, token(forms[one.id]));
    if (alike) take.append(make("bdi", { class: "small own" }, one.token));
    take.addEventListener("click", () => write(name));
    const row = make("tr", { class: "row", "data-id": one.id },
      make("td", { class: "number small" }, String(one.rank)),
      make("th", { scope: "row" }, take),
      make("td", { class: "bar-cell" }, barOf(one.score / most)),
      make("td", { class: "number" }, dots(one.score)),
      make("td", { class: "number" }, dots(one.logit)),
      said.snap.probability === null ? null : make("td", { class: "number" }, one.probability.toPrecision(2)),
      make("td", { class: "signs" }, sign("+", "Add"), sign("−", "Subtract")));
    row.addEventListener("pointerenter", () => map.look(one.id));
    row.addEventListener("pointerleave", () => map.look(-1));
    row.addEventListener("focusin", () => map.look(one.id));
    row.addEventListener("focusout", () => map.look(-1));
    return row;
  }

  function table(caption, list, whole) {
    const most = Math.max(...list.map((one) => one.score), 1e-9);
    const chance = whole.answer.snap.probability === null ? null : make("th", { scope: "col", class: "number" }, "p");
    const heads = make("tr", {}, make("th", { scope: "col", class: "number" }, "#"), make("th", { scope: "col" }, "token"),
      make("td", {}), make("th", { scope: "col", class: "number" }, whole.answer.score),
      make("th", { scope: "col", class: "number" }, "logit"), chance, make("td", {}));
    return make("table", { class: "near" }, make("caption", { class: caption ? "small" : "unseen" }, caption || "The nearest tokens"),
      make("thead", {}, heads), make("tbody", {}, ...list.map((one) => neighbour(one, whole, most))));
  }

  function names({ answer: said, forms }) {
    return make("ul", { class: "names", "aria-label": "How names were read" }, ...said.resolved.map((name) =>
      make("li", { title: name.method }, token(name.text), " → ",
        ...name.token_ids.flatMap((id) => [token(forms[id]), " "]),
        make("span", { class: "small" }, name.token_ids.length > 1 ? name.method.replaceAll("_", " by ") : `#${name.token_ids[0]}`))));
  }

  function snap({ answer: said, forms }) {
    const { snap: one } = said;
    const chance = one.probability === null ? "" : `, with probability ${one.probability.toPrecision(2)}`;
    return make("p", { class: "snap" }, "The head makes ", make("b", {}, token(forms[one.id])), " of it",
      make("span", { class: "small" }, `: ${dots(one.gap_degrees, 1)}° off, ${dots(one.gap_logit)} of logit lost${chance}`));
  }

  function draw(whole, second) {
    found = whole;
    const { answer: said } = whole;
    const parts = [snap(whole), names(whole)];
    if (said.neighbours.length) parts.push(table("", said.neighbours, whole));
    if (said.tracked.length) parts.push(table("Followed", said.tracked, whole));
    if (second) {
      const use = make("button", { type: "button" }, make("bdi", {}, second.answer.expression));
      use.addEventListener("click", () => write(second.answer.expression));
      parts.push(make("h2", {}, "Beside it: ", use), snap(second), table(`Nearest to ${second.answer.expression}`, second.answer.neighbours.slice(0, 5), second));
    }
    answer.replaceChildren(...parts);
    answer.removeAttribute("aria-busy");
    sliders.show(whole.terms);
    acts.show(whole);
    say(`nearest: ${said.neighbours.slice(0, 3).map((one) => whole.forms[one.id]).join(", ")}; the head makes ${whole.forms[said.snap.id]} of it`);
  }

  async function run(params) {
    running?.abort();
    running = new AbortController();
    const mine = running;
    const expression = params.get("expression") ?? "";
    const mapped = map.show(params);
    if (!expression.trim()) {
      error.show(null);
      answer.replaceChildren();
      acts.show(null);
      sliders.show([]);
      map.mark([], []);
      return;
    }
    answer.setAttribute("aria-busy", "true");
    const more = { source: context.source() };
    if (params.has("track")) more.track = params.get("track").split(",").map((one) => one.trim()).filter(Boolean);
    const question = questionOf("Near", params, more);
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
      answer.removeAttribute("aria-busy");
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
    if (said.focus !== undefined) lightUp(said.focus);
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
      answer = make("div", { class: "answer" });
      const often = make("div", { class: "options" }, control("Near", "space"), control("Near", "region"), ...map.fields());
      const rare = make("details", { class: "options" }, make("summary", {}, "More"),
        ...MORE.map((name) => (name === "track" ? trackControl() : control("Near", name))), norm.label, heat.label);
      form = make("form", { class: "ask near-form", "aria-label": "Near" }, box.outer, error, often, rare);
      form.addEventListener("submit", (event) => event.preventDefault());
      form.addEventListener("input", (event) => { if (event.target !== box.input && event.target.name) asked(); });
      const left = make("div", { class: "side" }, sliders, answer, acts);
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

function trackControl() {
  return make("label", {}, make("span", {}, "follow"), make("input", { name: "track", type: "text", autocomplete: "off", spellcheck: "false", placeholder: "fish, 🐠", title: "Tokens whose rank is told wherever they are, with commas between them" }));
}
