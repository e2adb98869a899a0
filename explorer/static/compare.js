// Two heads beside each other.

import { control } from "./forms.js";
import { longPanel } from "./long.js";
import { dots, tableOf, token, tokens } from "./parts.js";
import { csvOf, make, many } from "./dom.js";

const MOVED = [["token"], ["cosine once turned", true], ["deviations", true], ["same neighbours", true], ["near here"], ["near there"]];

function card(name, value, note) {
  return make("div", { class: "card" }, make("dt", {}, name), make("dd", {}, value, make("small", {}, note)));
}

export function comparePanel() {
  return longPanel({
    name: "compare",
    title: "Compare",
    model: "Compare",
    go: "Compare",
    fields: ({ about }) => {
      const sources = about.sources.map(({ source }) => make("option", { value: source }, source));
      const other = make("select", { name: "other", "data-plain": "" }, ...sources);
      return [make("label", {}, make("span", {}, "with"), other), ...["region", "space", "top"].map((name) => control("Compare", name))];
    },
    ready: (asked) => Boolean(asked.get("other")),
    show: ({ answer, moved }, box) => {
      const rows = answer.moved.map((one, at) => [
        token(moved[at].form), dots(one.aligned), dots(one.deviations, 1), dots(one.shared, 1), ...["near", "other_near"].map((side) => make("span", {}, ...tokens(moved[at][side]))),
      ]);
      const regions = answer.regions.slice(0, 12).map((one) => [one.name, many(one.tokens), dots(one.aligned), dots(one.moved_more), dots(one.deviations, 1)]);
      box.replaceChildren(
        make("dl", { class: "cards" },
          card("tokens in common", many(answer.matched), `of ${many(answer.tokens[0])} and ${many(answer.tokens[1])}`),
          card("residual", dots(answer.residual), "of the second, turned onto the first; 0 is the same"),
          card("linear CKA", dots(answer.cka), "1 is the same"),
          card("same neighbours", dots(answer.shared), `of the ten nearest, over ${many(answer.sampled)} tokens`)),
        tableOf("Tokens that moved most", MOVED, rows),
        tableOf("Regions that moved most", [["region"], ["tokens", true], ["median cosine", true], ["moved more", true], ["deviations", true]], regions),
      );
    },
    files: ({ answer }) => [
      ["Save JSON", "comparison.json", "application/json", () => `${JSON.stringify(answer)}\n`],
      ["Save CSV", "moved.csv", "text/csv", () => csvOf(answer.moved)],
    ],
  });
}
