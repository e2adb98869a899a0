// The logit lens: of a prompt, or of residuals in a file.

import { fileField } from "./files.js";
import { control } from "./forms.js";
import { longPanel } from "./long.js";
import { frame, pageLinks } from "./parts.js";
import { make } from "./dom.js";

export function lensPanel() {
  const file = fileField({ word: "residuals", label: "or residuals in a file", accept: ".npy,.safetensors" });
  return longPanel({
    name: "lens",
    title: "Lens",
    model: "LensOf",
    go: "Look",
    fields: ({ about }) => {
      const prompt = control("LensOf", "prompt", { rows: 2, placeholder: "Here is a seahorse emoji:" });
      prompt.classList.add("wide");
      prompt.hidden = !about.models;
      const of = (name) => control("LensOf", name);
      const prompted = about.models ? ["generate", "chat", "start"].map(of) : [];
      return [
        prompt,
        ...file.controls,
        about.models ? null : make("p", { class: "note" }, "A prompt needs what runs a model: pip install 'unembed[lens]'"),
        ...prompted, of("over"), of("space"), of("top"),
        control("LensOf", "track", { label: "follow", placeholder: "sea, horse" }),
        control("LensOf", "concepts", { rows: 1, label: "compare with", placeholder: "emoji(seahorse)" }),
        control("LensOf", "decompose", { label: "as a sum of" }),
      ].filter(Boolean);
    },
    built: ({ section }) => file.drop(section),
    filled: file.filled,
    ready: (asked) => Boolean(asked.get("prompt") || asked.get("residuals")),
    // A file is looked at rather than a prompt.
    more: (asked) => (asked.get("residuals") ? { prompt: null, generate: 0, chat: false, start: "" } : {}),
    show: (found, box, asked) => {
      const said = `${found.layers} layers, ${found.positions} ${found.positions === 1 ? "position" : "positions"}`;
      box.replaceChildren(make("p", { class: "note" }, `${said}. `, ...pageLinks(found.page, "lens")), frame(`Lens of ${asked.get("named") || asked.get("prompt")}`, found.page));
    },
  });
}
