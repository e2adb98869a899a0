// The logit lens: of a prompt, or of residuals in a file.

import { give } from "./ask.js";
import { control } from "./forms.js";
import { longPanel } from "./long.js";
import { frame, pageLinks } from "./parts.js";
import { make } from "./dom.js";

export function lensPanel() {
  const file = make("input", { type: "file", accept: ".npy,.safetensors" });
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
        make("label", {}, make("span", {}, about.models ? "or residuals in a file" : "residuals in a file"), file),
        about.models ? null : make("p", { class: "note" }, "A prompt needs what runs a model: pip install 'unembed[lens]'"),
        ...prompted, of("over"), of("space"), of("top"),
        control("LensOf", "track", { label: "follow", placeholder: "sea, horse" }),
        control("LensOf", "concepts", { rows: 1, label: "compare with", placeholder: "emoji(seahorse)" }),
        control("LensOf", "decompose", { label: "as a sum of" }),
      ].filter(Boolean);
    },
    ready: (asked) => Boolean(asked.get("prompt")),
    more: async (asked) => {
      const more = {};
      if (asked.has("track")) more.track = asked.get("track").split(",").map((one) => one.trim()).filter(Boolean);
      if (file.files.length) Object.assign(more, { prompt: null, generate: 0, chat: false, start: "", residuals: await give(file.files[0]) });
      return more;
    },
    show: (found, box, asked) => {
      const said = `${found.layers} layers, ${found.positions} ${found.positions === 1 ? "position" : "positions"}`;
      box.replaceChildren(make("p", { class: "note" }, `${said}. `, ...pageLinks(found.page, "lens")), frame(`Lens of ${asked.get("prompt") ?? "residuals"}`, found.page));
    },
  });
}
