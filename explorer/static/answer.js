// An answer as it is read: the snap, how names were taken, tables of neighbours.

import { barOf, dots, token, tokens } from "./parts.js";
import { make } from "./dom.js";

function snap({ answer: { snap: one }, forms }) {
  const chance = one.probability === null ? "" : `, with probability ${one.probability.toPrecision(2)}`;
  return make("p", { class: "snap" }, "The head makes ", make("b", {}, token(forms[one.id])), " of it",
    make("span", { class: "small" }, `: ${dots(one.gap_degrees, 1)}° off, ${dots(one.gap_logit)} of logit lost${chance}`));
}

function howRead({ token_ids: ids, method }) {
  return ids.length > 1 ? method.replaceAll("_", " by ") : `#${ids[0]}`;
}

function names({ answer: { resolved }, forms }) {
  const items = resolved.map((name) => make("li", { title: name.method }, token(name.text), " → ",
    ...tokens(name.token_ids.map((id) => forms[id])), make("span", { class: "small" }, howRead(name))));
  return make("ul", { class: "names", "aria-label": "How names were read" }, ...items);
}

// write(expression): asks it; append(sign, name): adds to what is asked; look(id): shows a token, -1 none
export function answerBox({ write, append, look }) {
  const box = make("div", { class: "answer" });

  function sign(mark, what, one, { forms, names: named }) {
    const name = named[one.id];
    const button = make("button", { type: "button", class: "sign", "aria-label": `${what} ${forms[one.id]}`, title: `${what} ${name}` }, mark);
    button.addEventListener("click", () => append(mark === "+" ? "+" : "-", name));
    return button;
  }

  function taking(one, { answer, forms, names: named }) {
    const button = make("button", { type: "button", class: "take", title: `#${one.id}: ${one.token}` }, token(forms[one.id]));
    const alike = answer.neighbours.some((other) => other.id !== one.id && forms[other.id] === forms[one.id]);
    if (alike) button.append(make("bdi", { class: "small own" }, one.token));
    button.addEventListener("click", () => write(named[one.id]));
    return button;
  }

  function neighbour(one, whole, most) {
    const number = (text, kind = "") => make("td", { class: `number ${kind}` }, text);
    const row = make("tr", { class: "row", "data-id": one.id },
      number(String(one.rank), "small"),
      make("th", { scope: "row" }, taking(one, whole)),
      make("td", { class: "bar-cell" }, barOf(one.score / most)),
      number(dots(one.score)), number(dots(one.logit)),
      one.probability === null ? null : number(one.probability.toPrecision(2)),
      make("td", { class: "signs" }, sign("+", "Add", one, whole), sign("−", "Subtract", one, whole)));
    for (const event of ["pointerenter", "focusin"]) row.addEventListener(event, () => look(one.id));
    for (const event of ["pointerleave", "focusout"]) row.addEventListener(event, () => look(-1));
    return row;
  }

  function table(caption, list, whole, { seen = true } = {}) {
    const most = Math.max(...list.map((one) => one.score), 1e-9);
    const head = (text, kind = null) => make("th", { scope: "col", class: kind }, text);
    const chance = whole.answer.snap.probability === null ? null : head("p", "number");
    const heads = [head("#", "number"), head("token"), make("td", {}), head(whole.answer.score, "number"), head("logit", "number"), chance, make("td", {})];
    return make("table", { class: "near" }, make("caption", { class: seen ? "small" : "unseen" }, caption),
      make("thead", {}, make("tr", {}, ...heads.filter(Boolean))), make("tbody", {}, ...list.map((one) => neighbour(one, whole, most))));
  }

  function beside(whole) {
    const { expression, neighbours } = whole.answer;
    const use = make("button", { type: "button" }, make("bdi", {}, expression));
    use.addEventListener("click", () => write(expression));
    return [make("h2", {}, "Beside it: ", use), snap(whole), table(`Nearest to ${expression}`, neighbours.slice(0, 5), whole)];
  }

  return {
    box,
    wait: () => box.setAttribute("aria-busy", "true"),
    // What stands there is not of what is written now.
    age: () => { box.removeAttribute("aria-busy"); box.classList.add("old"); },
    clear: () => box.replaceChildren(),
    // Shows an answer, and a second one beside it if there is one.
    show(whole, second) {
      const { neighbours, tracked } = whole.answer;
      box.replaceChildren(snap(whole), names(whole),
        ...(neighbours.length ? [table("The nearest tokens", neighbours, whole, { seen: false })] : []),
        ...(tracked.length ? [table("Followed", tracked, whole)] : []),
        ...(second ? beside(second) : []));
      box.removeAttribute("aria-busy");
      box.classList.remove("old");
    },
    light(id) {
      for (const row of box.querySelectorAll(".looked")) row.classList.remove("looked");
      if (id !== null) box.querySelector(`[data-id="${id}"]`)?.classList.add("looked");
    },
  };
}
