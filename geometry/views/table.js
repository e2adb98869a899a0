// Tables that are searched, filtered, sorted and paged; what is chosen is kept in the address.

import { byId, make, many } from "./dom.js";

const collator = new Intl.Collator("en", { numeric: true });
export const text = (value, kind = "") => make("bdi", { class: kind || null }, value);
export const fixed = (value, places) => (value === null || value === undefined ? "" : value.toFixed(places));

// The places of items in the order of a column; null comes last whichever way.
function sorted(places, items, column, down) {
  const keys = new Map(places.map((i) => [i, column.of(items[i])]));
  const sign = down ? -1 : 1;
  return places.sort((i, j) => {
    const [a, b] = [keys.get(i), keys.get(j)];
    if (a === null || b === null) return (a === null) - (b === null) || i - j;
    return sign * (typeof a === "string" ? collator.compare(a, b) : a - b) || i - j;
  });
}

export class Table {
  // at: what the ids of its parts and its keys in the address begin with
  // section: the id of what is gone to when a page is turned
  // items, total: what it shows, which may be the first of more
  // noun: what one and several are called
  // columns: key, head, title, of (what it is sorted by), number, down (sorted so at first)
  // row: gives the rows of the item at a place; words: the texts in which an item is sought
  // chips: name, values, of (those of an item), dot (the class that colours one)
  // choice: name, of; what one is chosen by from a list; sizes: of a page, in rows
  constructor(given) {
    Object.assign(this, { at: "", choice: null }, given);
    this.state = { words: "", chips: new Set(), choice: "", sort: "", down: false, page: 0, size: this.sizes[0] };
    this.chosen = [];
    this.shown = null;
    this.haystacks = null;
    this.counts = new Map(); // of the chips
    this.choices = new Set();
    this.changed = () => {}; // told after each choice of the reader
    this.build();
  }

  part(name) {
    return byId(this.at + name);
  }

  haystack(one) {
    return this.words(one).filter(Boolean).join("\n").toLowerCase();
  }

  // More items, after those that are there. What the reader chose stays as it is.
  grow(items) {
    for (const one of items) {
      this.items.push(one);
      this.haystacks?.push(this.haystack(one));
    }
    this.count(items);
    this.choose();
    this.draw();
  }

  choose() {
    const { words, chips, choice, sort, down } = this.state;
    const sought = words.toLowerCase().split(/\s+/).filter(Boolean);
    if (sought.length) this.haystacks ??= this.items.map((one) => this.haystack(one));
    this.chosen = [];
    this.items.forEach((one, i) => {
      if (chips.size && !this.chips.of(one).some((value) => chips.has(value))) return;
      if (choice && this.choice.of(one) !== choice) return;
      if (sought.every((word) => this.haystacks[i].includes(word))) this.chosen.push(i);
    });
    const column = this.columns.find((one) => one.key === sort);
    if (column) sorted(this.chosen, this.items, column, down);
  }

  draw() {
    const { state, chosen } = this;
    const pages = Math.max(1, Math.ceil(chosen.length / state.size));
    state.page = Math.min(state.page, pages - 1);
    const from = state.page * state.size;
    const shown = chosen.slice(from, from + state.size);
    if (String(shown) !== this.shown) { // else what is selected and focused there stays
      this.part("body").replaceChildren(...shown.flatMap((i) => this.row(this.items[i], i)));
      this.shown = String(shown);
    }
    this.part("count").textContent = this.counted(from, shown.length);
    this.part("page").textContent = `Page ${many(state.page + 1)} of ${many(pages)}`;
    this.part("before").disabled = state.page === 0;
    this.part("after").disabled = state.page === pages - 1;
    this.part("pages").hidden = pages === 1;
    for (const button of this.part("chips").children) {
      button.setAttribute("aria-pressed", state.chips.has(button.dataset.value));
    }
    for (const head of this.part("heads").children) {
      const isSorted = head.dataset.key === state.sort;
      head.setAttribute("aria-sort", isSorted ? (state.down ? "descending" : "ascending") : "none");
      head.querySelector(".arrow").textContent = isSorted ? (state.down ? "↓" : "↑") : "";
    }
  }

  counted(from, shown) {
    const [found, all] = [this.chosen.length, this.items.length];
    const part = found > this.state.size ? `, ${many(from + 1)} to ${many(from + shown)} shown` : "";
    return `${many(found)}${found === all ? "" : ` of ${many(all)}`} ${this.noun[all === 1 ? 0 : 1]}${part}`;
  }

  update(change, page = 0) {
    Object.assign(this.state, change, { page });
    this.choose();
    this.draw();
    this.changed();
  }

  keep(kept) {
    const { state, at } = this;
    if (state.words) kept.set(`${at}q`, state.words);
    if (state.chips.size) kept.set(at + this.chips.name, [...state.chips].join(","));
    if (state.choice) kept.set(at + this.choice.name, state.choice);
    if (state.sort) kept.set(`${at}sort`, (state.down ? "-" : "") + state.sort);
    if (state.page) kept.set(`${at}page`, state.page + 1);
    if (state.size !== this.sizes[0]) kept.set(`${at}rows`, state.size);
  }

  restore(kept) {
    const { state, at } = this;
    const chips = (kept.get(at + this.chips.name) ?? "").split(",");
    const choice = this.choice ? kept.get(at + this.choice.name) : null;
    const [, minus, sort] = /^(-?)(.*)$/.exec(kept.get(`${at}sort`) ?? "");
    const size = Number(kept.get(`${at}rows`));
    Object.assign(state, {
      words: kept.get(`${at}q`) ?? "",
      chips: new Set(chips.filter((one) => this.chips.values.includes(one))),
      choice: choice && this.items.some((one) => this.choice.of(one) === choice) ? choice : "",
      sort: this.columns.some((one) => one.key === sort) ? sort : "",
      down: minus === "-",
      size: this.sizes.includes(size) ? size : this.sizes[0],
      page: Math.max(0, (Number.parseInt(kept.get(`${at}page`), 10) || 1) - 1),
    });
    this.part("search").value = state.words;
    if (this.choice) this.part(this.choice.name).value = state.choice;
    this.part("size").value = state.size;
    this.choose();
    this.draw();
  }

  sortBy(column) {
    // First the way that tells most, then the other, then the list's own order.
    const { state } = this;
    const first = Boolean(column.down);
    if (state.sort !== column.key) this.update({ sort: column.key, down: first });
    else if (state.down === first) this.update({ down: !first });
    else this.update({ sort: "", down: false });
  }

  turn(by) {
    this.update({}, this.state.page + by);
    byId(this.section).scrollIntoView();
    byId(this.section).focus({ preventScroll: true });
  }

  build() {
    this.buildHeads();
    this.count(this.items);
    this.part("size").append(...this.sizes.map((size) => make("option", {}, String(size))));
    this.part("size").addEventListener("change", (event) => this.update({ size: Number(event.target.value) }));
    if (this.choice) {
      this.part(this.choice.name).addEventListener("change", (event) => this.update({ choice: event.target.value }));
    }
    if (this.items.length < this.total) {
      const [held, all] = [many(this.items.length), many(this.total)];
      this.part("held").textContent = `This file holds the first ${held} of ${all} ${this.noun[1]}; what stands above counts all.`;
      this.part("held").hidden = false;
    }
    let waiting = 0;
    this.part("search").addEventListener("input", (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.update({ words: event.target.value.trim() }), 120);
    });
    this.part("before").addEventListener("click", () => this.turn(-1));
    this.part("after").addEventListener("click", () => this.turn(1));
    this.part("tool").hidden = false;
  }

  buildHeads() {
    for (const column of this.columns) {
      const button = make("button", { type: "button", title: column.title }, column.head);
      const arrow = make("span", { class: "arrow", "aria-hidden": "true" });
      if (column.number) button.prepend(arrow); // the head stands over its numbers
      else button.append(arrow);
      button.addEventListener("click", () => this.sortBy(column));
      const kind = `c-${column.key}${column.number ? " number" : ""}`;
      this.part("heads").append(make("th", { scope: "col", class: kind, "data-key": column.key }, button));
    }
  }

  // Counts items on the chips, and offers what one is chosen by.
  count(items) {
    for (const one of items) {
      for (const value of this.chips.of(one)) this.counts.set(value, (this.counts.get(value) ?? 0) + 1);
    }
    const chips = this.part("chips");
    const counted = this.chips.values.filter((one) => this.counts.has(one));
    for (const [place, value] of counted.entries()) {
      const next = chips.children[place];
      if (next?.dataset.value !== value) chips.insertBefore(this.chip(value), next ?? null);
      chips.children[place].querySelector("b").textContent = many(this.counts.get(value));
    }
    if (this.choice) this.offer(items);
  }

  chip(value) {
    const kind = `dot ${this.chips.dot(value)}`;
    const chip = make("button", { type: "button", class: kind, "data-value": value }, value, make("b", {}));
    chip.addEventListener("click", () => {
      const chips = new Set(this.state.chips);
      if (!chips.delete(value)) chips.add(value);
      this.update({ chips });
    });
    return chip;
  }

  offer(items) {
    const { name, of } = this.choice;
    for (const value of items.map(of)) {
      if (!value || this.choices.has(value)) continue;
      this.choices.add(value);
      this.part(name).append(make("option", { value }, value));
    }
    this.part(`${name}-box`).hidden = this.choices.size < 2;
  }
}

// Shows tables as the address says, and keeps in it what is chosen.
export function start(...tables) {
  const restore = () => {
    const kept = new URLSearchParams(location.hash.slice(1));
    for (const table of tables) table.restore(kept);
  };
  const keep = () => {
    const kept = new URLSearchParams();
    for (const table of tables) table.keep(kept);
    try {
      history.replaceState(null, "", `#${kept}`);
    } catch { /* a frame without an address of its own */ }
  };
  for (const table of tables) table.changed = keep;
  window.addEventListener("hashchange", () => {
    if (!byId(location.hash.slice(1))) restore(); // else that is the link that skips
  });
  restore();
}
