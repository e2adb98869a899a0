// What panels have in common: progress, errors, what is done with an answer, tokens.

import { byId, make, many, save } from "./dom.js";

export function say(text) {
  byId("said").textContent = text;
}

// A box where an error stands; the column of an expression is marked in it.
export function errorBox() {
  const box = make("div", { class: "fault", role: "alert", hidden: "" });
  box.show = (error, expression = null) => {
    box.hidden = !error;
    box.replaceChildren();
    if (!error) return;
    box.append(make("p", {}, harmless(error.message, "\n")));
    if (expression !== null && error.column) {
      const chars = Array.from(expression);
      const at = error.column - 1;
      const here = make("mark", {}, harmless(chars[at] ?? "\u00a0"));
      const beside = (some) => harmless(some.join(""));
      box.append(make("p", { class: "token" }, make("bdi", {}, beside(chars.slice(0, at)), here, beside(chars.slice(at + 1)))));
    }
  };
  return box;
}

// A text with its controls and marks of direction written out, as tokens have theirs.
export function harmless(said, kept = "") {
  return said.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, (char) => {
    const hex = char.codePointAt(0).toString(16);
    if (char === "\u200d" || kept.includes(char)) return char; // a joiner holds a family emoji together
    return hex.length > 4 ? `\\U${hex.padStart(8, "0")}` : `\\u${hex.padStart(4, "0")}`;
  });
}

// How far work is, with a button that stops it.
export function progressBox() {
  const bar = make("progress", { "aria-label": "How far the work is" });
  const text = make("span", { class: "small" });
  const stop = make("button", { type: "button" }, "Stop");
  const box = make("div", { class: "progress", hidden: "" }, bar, text, stop);
  stop.addEventListener("click", () => box.stopped?.());
  box.told = ({ step, done, total }) => {
    box.hidden = false;
    if (total) { bar.max = total; bar.value = Math.min(done, total); } else bar.removeAttribute("value");
    text.textContent = total ? `${step} ${many(done)} of ${many(total)}` : done ? `${step} ${many(done)}` : step;
  };
  box.start = (stopped) => {
    box.stopped = stopped;
    box.told({ step: "asking", done: 0, total: 0 });
  };
  return box;
}

export function button(text, act) {
  const made = make("button", { type: "button" }, text);
  made.addEventListener("click", act);
  return made;
}

async function copied(what, text) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    const area = make("textarea", {}, text); // a page that is not of this machine has no clipboard
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    say(`${what} copied`);
  }
}

// What can be done with an answer: copied as what gives it again, saved.
export function actions(files = () => []) {
  const shown = make("pre", { class: "recipe", hidden: "", tabindex: "0", "aria-label": "What was copied" });
  const row = make("div", { class: "row" });
  const box = make("div", { class: "actions", hidden: "" }, row, shown);
  box.show = (found) => {
    box.hidden = !found;
    shown.hidden = true;
    if (!found) return;
    const copy = (what, text) => button(`Copy ${what}`, () => {
      shown.textContent = harmless(text, "\n");
      shown.hidden = false;
      copied(what, text);
    });
    row.replaceChildren(
      copy("as command", found.command),
      copy("as Python", found.python),
      button("Copy link", () => copied("link", location.href)),
      ...files(found).map(([text, name, type, content]) => button(text, () => save(name, type, content()))),
    );
  };
  return box;
}

let pictured = false;

// Whether there are pictures of emoji.
export function drawEmoji(drawn) {
  pictured = drawn;
}

// A token as people read it: its picture where it has one, else its form.
export function token(form) {
  if (!pictured || !/^\p{RGI_Emoji}$/v.test(form)) return make("bdi", { class: "token" }, harmless(form));
  const name = Array.from(form, (char) => char.codePointAt(0).toString(16)).join("-");
  const picture = make("img", { src: `glyph/${name}.webp`, alt: form, title: form, class: "emoji", width: 22, height: 22 });
  picture.addEventListener("error", () => picture.replaceWith(make("bdi", { class: "token" }, form)));
  return picture;
}

// Tokens in a row, with spaces between them.
export function tokens(forms) {
  return forms.flatMap((form) => [token(form), " "]);
}

export function dots(value, digits = 3) {
  return value === null || value === undefined ? "" : value.toFixed(digits);
}

// A table under its name; heads are [text, whether its cells are numbers].
export function tableOf(caption, heads, rows) {
  const kind = (at) => (heads[at][1] ? "number" : null);
  const head = make("tr", {}, ...heads.map(([text], at) => (
    text ? make("th", { scope: "col", class: kind(at) }, text) : make("td", {}))));
  const body = rows.map((row) => make("tr", {}, ...row.map((value, at) => make("td", { class: kind(at) }, value))));
  const table = make("table", {}, make("caption", { class: "unseen" }, caption), make("thead", {}, head), make("tbody", {}, ...body));
  return make("section", {}, make("h2", {}, caption),
    make("div", { class: "wide-table", role: "region", "aria-label": caption, tabindex: "0" }, table));
}

// A share of one as a bar.
export function barOf(share) {
  const inner = make("span", {});
  inner.style.width = `${100 * Math.max(0, Math.min(1, share))}%`;
  return make("span", { class: "track" }, inner);
}

// A page that was made, by itself and as a file.
export function pageLinks(page, name) {
  const href = `made/${page}.html`;
  return [
    make("a", { href, target: "_blank", rel: "noopener" }, "Open by itself"), ", ",
    make("a", { href, download: `${name}.html` }, "save"),
  ];
}

// A page that was made for an answer, in a frame of its own that can ask nothing.
export function frame(title, page, query = "") {
  return make("iframe", {
    title, src: `made/${page}.html${query}`, sandbox: "allow-scripts allow-downloads", class: "made",
  });
}
