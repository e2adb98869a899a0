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
// ready(asked): whether all that is needed has been said
export function longPanel(given) {
  const { name, title, model, go, files } = { files: () => [], ...given };
  let section, form, error, progress, box, acts;
  let running = null;
  let source = null;

  async function run(asked) {
    running?.abort();
    const mine = new AbortController();
    running = mine;
    error.show(null);
    acts.show(null);
    box.replaceChildren();
    section.setAttribute("aria-busy", "true");
    progress.start(() => mine.abort());
    try {
      const more = { source: source(), ...(await given.more?.(asked) ?? {}) };
      const question = questionOf(model, asked, more);
      given.begin?.(box, asked);
      const told = (line) => (line.step ? progress.told(line) : given.part?.(line, box));
      const found = await askLong(name, question, { signal: mine.signal, told });
      if (running !== mine) return;
      given.show(found, box, asked);
      acts.show(found);
      say(`${title}: done`);
    } catch (fault) {
      if (running !== mine) return;
      if (fault.name !== "AbortError") error.show(fault, asked.get("expression"));
      else error.show({ message: "stopped" });
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
        goTo(name, context.withSource(asked), { step: true });
        run(asked);
      });
      section = make("section", { class: "panel", "aria-label": title }, form, error, progress, acts, box);
      given.built?.({ form, section, context });
      return section;
    },
    show(asked) {
      fill(form, asked);
      if (given.ready(asked)) run(asked);
    },
    asked: () => askedOf(form),
  };
}
