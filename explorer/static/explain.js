// What a row, or a composed vector, is made of, and what is known of its token.

import { hashOf } from "./address.js";
import { expressionBox } from "./box.js";
import { control } from "./forms.js";
import { longPanel } from "./long.js";
import { barOf, dots, tableOf, token } from "./parts.js";
import { csvOf, make, many } from "./dom.js";

const WORDS = ["space", "parts", "among", "method", "signed", "top", "pieces", "estimator"];
const share = (value) => `${(100 * value).toFixed(1)}%`;

function written({ writable, writable_by: by }) {
  if (writable === null) return "undecided";
  return `${writable ? "by some residual" : "by none"} (${by})`;
}

function facts(known) {
  const pairs = [
    ["id", `#${known.id}`], ["kind", known.kind], ["script", known.script],
    ["regions", known.regions.join(", ") || "none"],
    ["norm", `${dots(known.norm)}, rank ${many(known.norm_rank)} of ${many(known.tokens)}`],
    ["written", written(known)],
  ];
  if (known.characters_total) {
    const some = known.characters.slice(0, 12).map((one) => one.text ?? one.name).join(" ");
    pairs.push(["a part of", `${many(known.characters_total)} characters: ${some}`]);
  }
  return make("section", {}, make("h2", {}, "The token"), make("dl", { class: "facts" },
    ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, make("bdi", {}, value))])));
}

export function explainPanel() {
  let source;

  function link(id, { forms, names }) {
    const asked = new URLSearchParams({ expression: names[id], source: source() });
    return make("a", { href: hashOf("explain", asked) }, token(forms[id]));
  }

  return longPanel({
    name: "explain",
    title: "Explain",
    model: "Explain",
    go: "Explain",
    fields: (context) => {
      source = context.source;
      const box = expressionBox({ source, changed: () => {}, label: "Token or expression", at: "explain" });
      box.input.placeholder = "queen";
      return [box.outer, ...WORDS.map((name) => control("Explain", name))];
    },
    ready: (asked) => Boolean(asked.get("expression")),
    show: (whole, found) => {
      const { answer, forms } = whole;
      const parts = answer.parts.map((part, at) => [
        part.id === null ? part.token : link(part.id, whole), part.kind, dots(part.weight),
        share(part.explained), barOf(part.explained), share(answer.chance[at]),
      ]);
      const sum = answer.parts.map((part) => (part.id === null ? part.token : forms[part.id])).join(" + ");
      const near = answer.neighbours.map((one) => [link(one.id, whole), dots(one.score)]);
      const along = answer.directions.slice(0, 10).map((one) => [one.name, dots(one.cosine), share(one.above)]);
      found.replaceChildren(
        make("p", { class: "snap" }, make("bdi", {}, answer.expression), " ≈ ", make("b", {}, make("bdi", {}, sum || "nothing"))),
        make("div", { class: "pair" },
          tableOf("As a sum", [["part"], ["kind"], ["weight", true], ["explained", true], [""], ["by chance", true]], parts),
          tableOf("Nearest", [["token"], ["cosine", true]], near),
          tableOf("Along directions", [["direction"], ["cosine", true], ["more than", true]], along),
          answer.token ? facts(answer.token) : null),
      );
    },
    files: ({ answer }) => [
      ["Save JSON", "explanation.json", "application/json", () => `${JSON.stringify(answer)}\n`],
      ["Save CSV", "explanation.csv", "text/csv", () => csvOf(answer.parts)],
    ],
  });
}
