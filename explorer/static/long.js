// A panel whose answer takes a while: a form, progress, what was found.

import { askLong } from "./ask.js";
import { goTo } from "./address.js";
import { askedOf, fill, questionOf } from "./forms.js";
import { actions, errorBox, progressBox, say } from "./parts.js";
import { make } from "./dom.js";

// name, title: of the panel; model: of its question
// fields: gives the controls; go: what the button says
// show(found, box, asked): draws an answer; part(line, box): a part of one, if it has any
// files: what can be saved of it; more: gives words of the question that no control has
// filled(asked): is told that controls hold what an address asks
// ready(asked): whether all that is needed has been said
// toAddress(asked): what of it the address holds; ofAddress: what an address asks
// said(found): what is spoken at the end
export function longPanel(given) {
  const same = (asked) => asked;
  const { name, title, model, go, files, toAddress, ofAddress } = { files: () => [], toAddress: same, ofAddress: same, ...given };
  let section, form, error, progress, box, acts;
  let running = null;
  let source = null;
  let answered = null; // what was asked last, unless nothing came of it

  function allOf(asked) {
    const words = new URLSearchParams(asked);
    words.set("source", source());
    words.sort();
    return String(words);
  }

  async function run(asked) {
    running?.abort();
    answered = allOf(asked);
    const mine = new AbortController();
    running = mine;
    error.show(null);
    acts.show(null);
    box.replaceChildren();
    section.setAttribute("aria-busy", "true");
    progress.start(() => mine.abort());
    try {
      const more = { source: source(), ...(given.more?.(asked) ?? {}) };
      const question = questionOf(model, asked, more);
      given.begin?.(box, asked);
      const told = (line) => {
        if (running !== mine) return;
        if (line.step) progress.told(line);
        else given.part?.(line, box);
      };
      const found = await askLong(name, question, { signal: mine.signal, told });
      if (running !== mine) return;
      given.show(found, box, asked);
      acts.show(found);
      say(`${title}: ${given.said?.(found) ?? "done"}`);
    } catch (fault) {
      if (running !== mine) return;
      answered = null;
      if (fault.name !== "AbortError") error.show(fault, asked.get("expression"));
      else error.show({ message: given.part ? "stopped; what had come stands below" : "stopped" });
    } finally {
      if (running === mine) {
        running = null;
        progress.hidden = true;
        section.removeAttribute("aria-busy");
      }
    }
  }

  return {
    name,
    title,
    build(context) {
      source = context.source;
      error = errorBox();
      progress = progressBox();
      acts = actions(files);
      box = make("div", { class: "found" });
      const button = make("button", { type: "submit", class: "go" }, go);
      form = make("form", { class: "ask", "aria-label": title }, ...given.fields(context), button);
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        const asked = askedOf(form);
        if (!given.ready(asked)) {
          error.show({ message: "there is nothing to ask yet: fill in the first box" });
          return;
        }
        goTo(name, context.withSource(toAddress(asked)), { step: true });
        run(asked);
      });
      section = make("section", { class: "panel", "aria-label": title }, form, error, progress, acts, box);
      given.built?.({ form, section, context });
      return section;
    },
    show(address) {
      const asked = ofAddress(address);
      fill(form, asked);
      given.filled?.(asked);
      if (given.ready(asked) && allOf(asked) !== answered) run(asked); // else the answer is there
    },
    asked: () => toAddress(askedOf(form)),
  };
}
