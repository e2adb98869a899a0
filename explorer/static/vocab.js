// The health of a vocabulary, on the page that `unembed vocab` makes.

import { longPanel } from "./long.js";
import { frame, pageLinks } from "./parts.js";
import { make, many } from "./dom.js";

export function vocabPanel() {
  return longPanel({
    name: "vocab",
    title: "Vocabulary",
    model: "Vocab",
    go: "Examine",
    fields: () => [
      make("p", { class: "note" }, "What each token is, which no text encodes to, which rows look untrained or nearly the same."),
      make("input", { type: "hidden", name: "run", value: "1" }), // in an address: that it was asked
    ],
    ready: (asked) => asked.has("run"),
    show: (found, box) => {
      const said = make("p", { class: "note" }, `${many(found.tokens)} tokens. `, ...pageLinks(found.page, "tokens"));
      box.replaceChildren(said, frame("The vocabulary", found.page));
    },
  });
}
