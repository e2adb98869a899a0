// Which concepts of a list have a token: a table that fills while the audit runs.

import { fileField } from "./files.js";
import { control } from "./forms.js";
import { longPanel } from "./long.js";
import { button, dots, harmless, token, tokens } from "./parts.js";
import { Table, text } from "./table.js";
import { byId, csvOf, make, many, save } from "./dom.js";

const VERDICTS = ["single_token", "phantom", "multi_token", "absent", "error"];
const MORE = ["column", "direction", "top", "min_p_token", "min_membership", "space"];
const LONGEST = 1_500; // characters of a list that an address holds
const PAUSE = 250; // milliseconds between two drawings
const ENDINGS = ".csv,.tsv,.jsonl,.parquet,.txt";

const COLUMNS = [
  { key: "concept", head: "Concept", of: (f) => f.concept },
  { key: "verdict", head: "Verdict", of: (f) => VERDICTS.indexOf(f.verdict) },
  { key: "tokens", head: "Tokens", of: (f) => f.pieces.length || null, title: "how the head's tokenizer spells it; sorted by how many they are" },
  { key: "nearest", head: "Nearest", of: (f) => f.nearest[0]?.score ?? null, down: true, title: "the nearest tokens of the region" },
  { key: "snap", head: "Snap", of: (f) => f.snap_form, title: "the token that the head makes of it" },
  { key: "gap", head: "Gap°", of: (f) => f.gap_degrees, number: true, down: true, title: "the angle between the concept and the row of its snap, in degrees" },
  { key: "p", head: "p", of: (f) => f.p_token, number: true, title: "the calibrated probability that the region has a token for it" },
];

const linesOf = (list) => list.split("\n").filter((line) => line.trim()).length;

function row(f) {
  const concept = harmless(f.concept) || "(empty)";
  const cells = [
    make("th", { scope: "row", class: "c-concept", title: concept }, make("bdi", { class: "line" }, concept)),
    make("td", { class: "c-verdict verdict dot" }, f.verdict, f.by && make("span", { class: "small by" }, ` (${f.by})`)),
  ];
  if (f.verdict === "error") cells.push(make("td", { colspan: 5, class: "small" }, text(harmless(f.message ?? ""))));
  else {
    cells.push(
      make("td", { class: "c-tokens token" }, make("bdi", { class: "line" }, ...tokens(f.pieces))),
      make("td", { class: "c-nearest" }, make("div", { class: "line" }, ...f.nearest_forms.slice(0, 3).map(token))),
      make("td", { class: "c-snap token" }, f.snap_form && token(f.snap_form)),
      make("td", { class: "c-gap number" }, dots(f.gap_degrees, 1)),
      make("td", { class: "c-p number" }, dots(f.p_token)),
    );
  }
  return [make("tr", { class: `row ${f.verdict}` }, ...cells)];
}

// Findings that come by and by, in a table that is drawn a few times a second at most, and less
// often where drawing takes long.
function growing(box) {
  const at = "audit-";
  const came = [];
  let waiting = [];
  let pause = 0;
  let timer = null;
  const all = () => [...came, ...waiting];
  const bar = make("div", { class: "bar", "aria-hidden": "true", hidden: "" });
  const said = make("p", {});
  const sum = make("div", { class: "sum" }, said, make("div", { class: "saves" },
    button("Save CSV", () => save("audit.csv", "text/csv", csvOf(all().map(flat)))),
    button("Save JSONL", () => save("audit.jsonl", "application/jsonl", all().map(lineOf).join("")))));
  // The places that a Table fills, as the saved pages have them.
  const place = make("div", { id: `${at}place`, tabindex: "-1" }, byId("audit-table").content.cloneNode(true));
  box.append(bar, sum, place);
  const table = new Table({
    at,
    section: `${at}place`,
    items: came,
    total: 0,
    noun: ["concept", "concepts"],
    columns: COLUMNS,
    row,
    words: (f) => [f.concept, f.id, f.form, f.message, ...f.pieces, ...f.tokens, ...f.nearest_forms, f.snap_form],
    chips: { name: "verdict", values: VERDICTS, of: (f) => [f.verdict], dot: (verdict) => verdict },
    sizes: [100, 500, 2000],
  });

  function draw() {
    clearTimeout(timer);
    timer = null;
    const begun = performance.now();
    table.grow(waiting);
    waiting = [];
    pause = Math.max(PAUSE, 4 * (performance.now() - begun));
  }

  return {
    add(findings) {
      waiting.push(...findings);
      timer ??= setTimeout(draw, pause);
    },
    sum(summary) {
      draw();
      const counts = VERDICTS.map((verdict) => [verdict, summary.verdicts[verdict]]).filter(([, count]) => count);
      bar.hidden = !counts.length;
      bar.replaceChildren(...counts.map(([verdict, count]) => {
        const part = make("span", { class: verdict });
        part.style.flexGrow = count;
        return part;
      }));
      said.textContent = inWords(summary);
    },
    leave: () => clearTimeout(timer),
  };
}

function inWords({ records, verdicts }) {
  const counts = VERDICTS.filter((one) => verdicts[one]).map((one) => `${many(verdicts[one])} ${one}`);
  return `${many(records)} ${records === 1 ? "concept" : "concepts"}${counts.length ? `: ${counts.join(", ")}` : ""}`;
}

// A finding as a row of CSV: lists as JSON, as the command line writes them.
function flat(finding) {
  return Object.fromEntries(Object.entries(finding).map(([name, value]) => [name, value !== null && typeof value === "object" ? JSON.stringify(value) : value]));
}

const ESCAPED = { "\u0085": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029" };

// A finding as a line of JSON; nothing in it ends a line for anyone.
function lineOf(finding) {
  return `${JSON.stringify(finding).replace(/[\u0085\u2028\u2029]/g, (end) => ESCAPED[end])}\n`;
}

// A list that no address holds is known by how many lines it has, and by a number made of it.
function nameOf(list) {
  let made = 0;
  for (let i = 0; i < list.length; i += 1) made = (Math.imul(made, 31) + list.charCodeAt(i)) >>> 0;
  return `${linesOf(list)}-${made.toString(36)}`;
}

export function auditPanel() {
  const file = fileField({ word: "file", label: "or a file", accept: ENDINGS, changed: () => tell() });
  const lists = new Map(); // that addresses name and do not hold
  let form, audits;
  let growth = null;
  let lost = false;

  const valueOf = (name) => form.elements.namedItem(name).value.trim();

  // Says what would be audited, and what a link to it holds.
  function tell() {
    const [list, concepts] = ["list", "concepts"].map(valueOf);
    const waits = (file.held() && (list || concepts)) || (list && concepts) ? " What else is given waits." : "";
    const count = linesOf(concepts);
    let said = "Paste concepts, name a list, or drop a file anywhere here: CSV, TSV, JSONL, Parquet or text.";
    if (file.held()) said = `The file; a link to it works as long as this server runs.${waits}`;
    else if (list) said = `The list ${list}.${waits}`;
    else if (concepts) {
      said = `${many(count)} ${count === 1 ? "concept" : "concepts"}.`;
      if (concepts.length > LONGEST) said += " A link holds the options, but not this list: it is too long.";
    } else if (lost) said = "This link holds no list, which was too long for it: paste it again.";
    audits.textContent = said;
  }

  return longPanel({
    name: "audit",
    title: "Audit",
    model: "Audit",
    go: "Audit",
    fields: ({ about }) => {
      const concepts = control("Audit", "concepts", { label: "concepts, one a line", rows: 6, placeholder: "octopus\nseahorse\nsea + horse" });
      concepts.classList.add("wide");
      const list = control("Audit", "list", { label: "or a list that is built in", placeholder: "emoji:all" });
      list.querySelector("input").setAttribute("list", "audit-lists");
      const scripts = about.regions.filter((one) => !["emoji", "words", "bytes"].includes(one));
      const built = ["emoji:all", "emoji:all:de", "unicode:greek", ...scripts.filter((one) => one !== "greek").map((one) => `unicode:${one}`)];
      const offered = make("datalist", { id: "audit-lists" }, ...built.map((value) => make("option", { value })));
      const more = make("details", { class: "options" }, make("summary", {}, "More"), ...MORE.map((name) => control("Audit", name)));
      audits = make("p", { class: "audits small" });
      return [concepts, list, offered, ...file.controls, control("Audit", "region"), more, audits];
    },
    built: (made) => {
      form = made.form;
      form.addEventListener("input", tell);
      file.drop(made.section);
    },
    filled: file.filled,
    ready: (asked) => ["file", "list", "concepts"].some((name) => asked.get(name)),
    // A file is audited rather than a list, and a list rather than concepts.
    more: (asked) => {
      if (asked.get("file")) return { list: null, concepts: [] };
      return asked.get("list") ? { concepts: [] } : {};
    },
    toAddress: (asked) => {
      const concepts = asked.get("concepts") ?? "";
      if (concepts.length <= LONGEST) return asked;
      const kept = new URLSearchParams(asked);
      kept.delete("concepts");
      kept.set("unheld", nameOf(concepts));
      lists.set(kept.get("unheld"), concepts);
      return kept;
    },
    ofAddress: (address) => {
      const asked = new URLSearchParams(address);
      const unheld = asked.get("unheld");
      asked.delete("unheld");
      lost = Boolean(unheld) && !lists.has(unheld);
      if (lists.has(unheld)) asked.set("concepts", lists.get(unheld));
      if (!unheld && [...asked.keys()].every((name) => name === "source")) asked.set("region", "emoji");
      return asked;
    },
    begin: () => { growth?.leave(); growth = null; },
    part: ({ findings }, box) => {
      growth ??= growing(box);
      growth.add(findings);
    },
    show: ({ summary }, box) => {
      growth ??= growing(box);
      growth.sum(summary);
    },
    said: ({ summary }) => inWords(summary),
  });
}
