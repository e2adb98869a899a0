// The page: its panels, its sources, its address.

import { here, goTo } from "./address.js";
import { read } from "./ask.js";
import { learn } from "./forms.js";
import { byId, make } from "./dom.js";
import { drawEmoji } from "./parts.js";
import { auditPanel } from "./audit.js";
import { comparePanel } from "./compare.js";
import { explainPanel } from "./explain.js";
import { lensPanel } from "./lens.js";
import { nearPanel } from "./near.js";
import { vocabPanel } from "./vocab.js";

const PANELS = [nearPanel(), auditPanel(), lensPanel(), explainPanel(), comparePanel(), vocabPanel()];

async function start() {
  const [document_, about] = await Promise.all([read("openapi.json"), read("api/sources")]);
  learn(document_);
  drawEmoji(about.artists.length > 0);
  byId("artists").textContent = about.artists.map((one) => `Emoji: ${one}.`).join(" ");
  const sources = about.sources.map((one) => one.source);
  const select = byId("source");
  select.append(...sources.map((source) => make("option", { value: source }, source)));
  for (const [id, values] of [["regions", about.regions], ["spaces", about.spaces], ["directions", about.directions]]) {
    byId(id).append(...values.map((value) => make("option", { value })));
  }
  const context = {
    about,
    source: () => select.value,
    // What a panel asks, with the source where it is not the first.
    withSource: (asked) => {
      if (select.value !== sources[0]) asked.set("source", select.value);
      return asked;
    },
  };
  const sections = new Map();
  let open = null;

  function show(name, asked) {
    const panel = PANELS.find((one) => one.name === name) ?? PANELS[0];
    if (!sections.has(panel.name)) {
      sections.set(panel.name, panel.build(context));
      byId("panels").append(sections.get(panel.name));
    }
    for (const [each, section] of sections) section.hidden = each !== panel.name;
    for (const link of byId("tabs").children) {
      if (link.dataset.name === panel.name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${panel.title}, ${select.value}: unembed`;
    open = panel;
    select.value = sources.includes(asked.get("source")) ? asked.get("source") : sources[0];
    panel.show(asked);
  }

  function follow() {
    const { panel, asked } = here();
    show(panel, asked);
  }

  byId("tabs").append(...PANELS.map((panel) => {
    const link = make("a", { href: `#${panel.name}`, "data-name": panel.name }, panel.title);
    link.addEventListener("click", (event) => {
      event.preventDefault();
      if (open === panel) return;
      const asked = sections.has(panel.name) ? panel.asked() : new URLSearchParams();
      goTo(panel.name, context.withSource(asked), { step: true });
      follow();
    });
    return link;
  }));
  select.addEventListener("change", () => {
    const asked = open.asked();
    asked.delete("source");
    goTo(open.name, context.withSource(asked), { step: true });
    follow();
  });
  byId("theme").addEventListener("click", () => {
    const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    for (const panel of PANELS) if (sections.has(panel.name)) panel.theme?.(next);
  });
  byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("panels").focus(); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    open.focus?.();
  });
  window.addEventListener("popstate", follow);
  follow();
  document.documentElement.dataset.started = "";
}

start().catch((error) => {
  byId("panels").replaceChildren(make("p", { class: "fault", role: "alert" }, error.message));
});
