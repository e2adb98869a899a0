// Forms from the API's own document: a question's words become controls, and controls a question.

import { make } from "./dom.js";

let schemas = {};

export function learn(document_) {
  schemas = document_.components.schemas;
}

const LISTS = { region: "regions", exclude_region: "regions", among: "regions", over: "regions", space: "spaces", direction: "directions" };

// A word of a question: its type, its bounds, what it means, and whether it may be null.
function wordOf(model, name) {
  const said = schemas[model].properties[name];
  const kinds = said.anyOf ?? [said];
  const kind = kinds.find((one) => one.type !== "null") ?? {};
  return { ...kind, description: said.description ?? kind.description ?? "", default: said.default, open: kinds.some((one) => one.type === "null") };
}

const labelOf = (name) => name.replaceAll("_", " ");

// A control for a word: a list, a box to tick, a number or a text.
export function control(model, name, { label = labelOf(name), rows = 0, placeholder = null } = {}) {
  const word = wordOf(model, name);
  const id = `${model}-${name}`.toLowerCase();
  const shared = { id, name, title: word.description };
  const given = word.default === null || word.default === undefined ? "" : String(word.default);
  let input;
  if (word.type === "boolean") {
    input = make("input", { ...shared, type: "checkbox" });
    return make("label", { class: "tick", title: word.description }, input, label);
  }
  if (word.enum) {
    const options = [...(word.open ? [["", "its own"]] : []), ...word.enum.map((one) => [one, one])];
    input = make("select", { ...shared, "data-plain": given }, ...options.map(([value, text]) => make("option", { value }, text)));
    input.value = given;
  } else if (word.type === "integer" || word.type === "number") {
    const step = word.type === "integer" ? 1 : "any";
    input = make("input", { ...shared, type: "number", min: word.minimum, max: word.maximum, step, placeholder: placeholder ?? given });
  } else if (rows) {
    input = make("textarea", { ...shared, rows, spellcheck: "false", placeholder, maxlength: word.maxLength });
  } else {
    const hint = placeholder ?? (given || (LISTS[name] === "regions" ? "all tokens" : ""));
    input = make("input", { ...shared, type: "text", autocomplete: "off", spellcheck: "false", list: LISTS[name], placeholder: hint, maxlength: word.maxLength });
  }
  return make("label", {}, make("span", {}, label), input);
}

// What controls hold that is said at all, for the address.
export function askedOf(form) {
  const asked = new URLSearchParams();
  for (const input of form.elements) {
    if (!input.name) continue;
    if (input.type === "checkbox") { if (input.checked) asked.set(input.name, "1"); }
    else if (input.value.trim() !== "" && input.value !== (input.dataset.plain ?? null)) asked.set(input.name, input.value);
  }
  return asked;
}

// Puts what an address says into controls.
export function fill(form, asked) {
  for (const input of form.elements) {
    if (!input.name) continue;
    const said = asked.get(input.name);
    if (input.type === "hidden") continue;
    if (input.type === "checkbox") input.checked = said === "1";
    else if (input.tagName === "SELECT") {
      input.value = said ?? input.dataset.plain ?? input.options[0]?.value ?? "";
    } else input.value = said ?? "";
  }
}

const COMMAS = new Set(["track"]); // others that are several have a line each, as expressions have commas

// A value of a word from its text.
function valueOf(name, word, text) {
  if (word.open && LISTS[name] === "regions" && text === "all") return null;
  if (word.type === "boolean") return text === "1";
  if (word.type === "integer" || word.type === "number") return Number(text);
  if (word.type === "array") return text.split(COMMAS.has(name) ? "," : "\n").map((line) => line.trim()).filter(Boolean);
  return text;
}

// A question of the words that an address has; others of it are not of this question.
export function questionOf(model, asked, more = {}) {
  const question = { ...more };
  for (const name of Object.keys(schemas[model].properties)) {
    const text = asked.get(name);
    if (text === null || text === "" || name in more) continue;
    question[name] = valueOf(name, wordOf(model, name), text);
  }
  return question;
}
