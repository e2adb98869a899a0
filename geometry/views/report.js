"use strict";
// The table of a report: what is chosen, in what order, which page of it; kept in the address.
// Texts of findings come harmless from Python and become text nodes, never HTML.
(() => {
  const VERDICTS = ["single_token", "phantom", "multi_token", "absent", "error"];
  const SIZES = [100, 500, 2000];
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const findings = data.findings;
  const many = (n) => n.toLocaleString("en");
  const collator = new Intl.Collator("en", { numeric: true });

  // What a column shows, and what it is sorted by; null comes last whichever way.
  const COLUMNS = [
    { key: "concept", head: "Concept", of: (f) => f.concept },
    { key: "verdict", head: "Verdict", of: (f) => VERDICTS.indexOf(f.verdict) },
    { key: "tokens", head: "Tokens", of: (f) => (f.pieces ? f.pieces.length : null) },
    { key: "nearest", head: "Nearest", of: (f) => (f.nearest ? f.nearest[0][3] : null), down: true },
    { key: "snap", head: "Snap", of: (f) => (f.snap ? f.snap[2] : null) },
    { key: "gap", head: "Gap°", of: (f) => f.gap_degrees ?? null, number: true, down: true,
      title: "the angle between the concept and the row of its snap, in degrees" },
    { key: "p", head: "p", of: (f) => f.p_token ?? null, number: true,
      title: "the calibrated probability that the region has a token for it" },
  ];
  const top = findings.reduce((most, f) => Math.max(most, f.nearest ? f.nearest[0][3] : 0), 1e-9);
  const state = { words: "", verdicts: new Set(), source: "", sort: "", down: false, page: 0, size: 100 };
  const opened = new Set();
  let haystacks = null;
  let chosen = [];

  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  const text = (value, kind = "") => make("bdi", { class: kind || null }, value);
  const fixed = (value, places) => (value === null || value === undefined ? "" : value.toFixed(places));

  function haystack(f) {
    const tokens = [...(f.pieces ?? []), ...(f.nearest ?? []), ...(f.snap ? [f.snap] : [])];
    const parts = [f.concept, f.id, f.form, f.message, ...tokens.flatMap((t) => [t[1], t[2]])];
    return parts.filter(Boolean).join("\n").toLowerCase();
  }

  function choose() {
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !haystacks) haystacks = findings.map(haystack);
    chosen = [];
    for (let i = 0; i < findings.length; i += 1) {
      const f = findings[i];
      if (state.verdicts.size && !state.verdicts.has(f.verdict)) continue;
      if (state.source && f.source !== state.source) continue;
      if (words.every((word) => haystacks[i].includes(word))) chosen.push(i);
    }
    const column = COLUMNS.find((one) => one.key === state.sort);
    if (!column) return;
    const keys = new Map(chosen.map((i) => [i, column.of(findings[i])]));
    const sign = state.down ? -1 : 1;
    chosen.sort((i, j) => {
      const [a, b] = [keys.get(i), keys.get(j)];
      if (a === null || b === null) return (a === null) - (b === null) || i - j;
      return sign * (typeof a === "string" ? collator.compare(a, b) : a - b) || i - j;
    });
  }

  function nearTokens(f) {
    return (f.nearest ?? []).slice(0, 3).map((near) => text(near[2], "near"));
  }

  function row(i) {
    const f = findings[i];
    const id = `detail-${i}`;
    const open = make("button", { type: "button", class: "open", "aria-expanded": opened.has(i), "aria-controls": id },
      make("bdi", { class: "line" }, f.concept || "(empty)"));
    const cells = [
      make("th", { scope: "row", class: "c-concept" }, open),
      make("td", { class: "c-verdict verdict dot" }, f.verdict, f.by ? make("span", { class: "small by" }, ` (${f.by})`) : null),
    ];
    if (f.verdict === "error") {
      cells.push(make("td", { colspan: 5, class: "small" }, make("bdi", { class: "line" }, f.message ?? "")));
    } else {
      cells.push(
        make("td", { class: "c-tokens token" }, make("bdi", { class: "line" }, (f.pieces ?? []).map((p) => p[2]).join(" "))),
        make("td", { class: "c-nearest" }, make("div", { class: "line" }, ...nearTokens(f))),
        make("td", { class: "c-snap token" }, f.snap ? make("bdi", { class: "line" }, f.snap[2]) : ""),
        make("td", { class: "c-gap number" }, fixed(f.gap_degrees, 1)),
        make("td", { class: "c-p number" }, fixed(f.p_token, 3)),
      );
    }
    const shown = make("tr", { class: `row ${f.verdict}` }, ...cells);
    const detail = make("tr", { class: `detail ${f.verdict}`, id, hidden: opened.has(i) ? null : "" });
    if (opened.has(i)) detail.append(details(f));
    open.addEventListener("click", () => {
      const now = !opened.delete(i);
      if (now) opened.add(i);
      if (now && !detail.firstChild) detail.append(details(f));
      detail.hidden = !now;
      open.setAttribute("aria-expanded", now);
    });
    return [shown, detail];
  }

  function details(f) {
    const facts = [
      ["verdict", f.verdict], ["says so", f.by], ["message", f.message], ["id", f.id],
      ["source", f.source], ["form", f.form], ["p_token", fixed(f.p_token, 4)],
      ["membership", fixed(f.membership, 4)],
      ["snap", f.snap ? `${f.snap[2]}  (id ${f.snap[0]})` : null],
      ["snap's logit", fixed(f.snap_logit, 4)],
      ["snap's probability", f.snap_probability === undefined ? null : f.snap_probability.toPrecision(3)],
      ["gap in degrees", fixed(f.gap_degrees, 2)], ["gap in logits", fixed(f.gap_logit, 4)],
    ].filter(([, value]) => value);
    const list = make("dl", { class: "facts" },
      ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, text(value))]));
    const left = make("section", {}, list);
    if (f.pieces) left.append(...pieces(f));
    const cell = make("td", { colspan: 7 }, make("div", { class: "pair" }, left, nearest(f)));
    return cell;
  }

  function pieces(f) {
    const fragments = f.fragments ? `, ${many(f.fragments)} of them no whole character` : "";
    const title = f.pieces.length === 1 ? "its token" : `its ${many(f.pieces.length)} tokens${fragments}`;
    const items = f.pieces.map((piece, place) => {
      const kinds = [piece[3] ? "" : "fragment", place < (f.shared ?? 0) ? "shared" : ""];
      const said = kinds.filter(Boolean).map((kind) => ` (${kind})`).join("");
      return make("li", { class: kinds.join(" ").trim() || null, title: `${piece[1]}  id ${piece[0]}${said}` },
        text(piece[2]), said ? make("span", { class: "unseen" }, said) : null);
    });
    const found = [make("h3", {}, title), make("ul", { class: "pieces" }, ...items)];
    if (f.shared && f.siblings) {
      const first = f.shared === 1 ? "first token" : `first ${f.shared} tokens`;
      found.push(make("p", { class: "small" }, `The ${first} (underlined) begin these too: `,
        ...f.siblings.flatMap((one) => [text(one), " "])));
    }
    return found;
  }

  function nearest(f) {
    if (!f.nearest) return make("section", {});
    const rows = f.nearest.map((near) => {
      const bar = make("span", {});
      bar.style.width = `${(100 * Math.min(Math.max(near[3] / top, 0), 1)).toFixed(1)}%`;
      return make("tr", {},
        make("th", { scope: "row", title: near[1] }, text(near[2])),
        make("td", { class: "number small" }, String(near[0])),
        make("td", { "aria-hidden": "true" }, make("span", { class: "track" }, bar)),
        make("td", { class: "number" }, fixed(near[3], 4)));
    });
    const heads = make("tr", {}, make("th", { scope: "col" }, "nearest"),
      make("th", { scope: "col", class: "number" }, "id"), make("td", { "aria-hidden": "true" }),
      make("th", { scope: "col", class: "number" }, "score"));
    return make("section", {}, make("table", {}, make("thead", {}, heads), make("tbody", {}, ...rows)));
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(chosen.length / state.size));
    state.page = Math.min(state.page, pages - 1);
    const from = state.page * state.size;
    const shown = chosen.slice(from, from + state.size);
    byId("body").replaceChildren(...shown.flatMap(row));
    const part = chosen.length > state.size ? `, ${many(from + 1)} to ${many(from + shown.length)} shown` : "";
    const of = chosen.length === findings.length ? "" : ` of ${many(findings.length)}`;
    const noun = findings.length === 1 ? "concept" : "concepts";
    byId("count").textContent = `${many(chosen.length)}${of} ${noun}${part}`;
    byId("page").textContent = `Page ${many(state.page + 1)} of ${many(pages)}`;
    byId("before").disabled = state.page === 0;
    byId("after").disabled = state.page === pages - 1;
    byId("pages").hidden = pages === 1;
    for (const button of byId("chips").children) {
      button.setAttribute("aria-pressed", state.verdicts.has(button.dataset.verdict));
    }
    for (const head of byId("heads").children) {
      const sorted = head.dataset.key === state.sort;
      const way = state.down ? "descending" : "ascending";
      head.setAttribute("aria-sort", sorted ? way : "none");
      head.querySelector(".arrow").textContent = sorted ? (state.down ? "↓" : "↑") : "";
    }
  }

  function update(change, page = 0) {
    Object.assign(state, change, { page });
    choose();
    draw();
    const kept = new URLSearchParams();
    if (state.words) kept.set("q", state.words);
    if (state.verdicts.size) kept.set("verdict", [...state.verdicts].join(","));
    if (state.source) kept.set("source", state.source);
    if (state.sort) kept.set("sort", (state.down ? "-" : "") + state.sort);
    if (state.page) kept.set("page", state.page + 1);
    if (state.size !== SIZES[0]) kept.set("rows", state.size);
    try {
      history.replaceState(null, "", `#${kept}`);
    } catch { /* a frame without an address of its own */ }
  }

  function restore() {
    const kept = new URLSearchParams(location.hash.slice(1));
    const verdicts = (kept.get("verdict") ?? "").split(",").filter((one) => VERDICTS.includes(one));
    const [, minus, sort] = /^(-?)(.*)$/.exec(kept.get("sort") ?? "");
    const size = Number(kept.get("rows"));
    Object.assign(state, {
      words: kept.get("q") ?? "",
      verdicts: new Set(verdicts),
      source: findings.some((f) => f.source === kept.get("source")) ? kept.get("source") : "",
      sort: COLUMNS.some((one) => one.key === sort) ? sort : "",
      down: minus === "-",
      size: SIZES.includes(size) ? size : SIZES[0],
      page: Math.max(0, (Number.parseInt(kept.get("page"), 10) || 1) - 1),
    });
    byId("search").value = state.words;
    byId("source").value = state.source;
    byId("size").value = state.size;
    choose();
    draw();
  }

  function sortBy(column) {
    // First the way that tells most, then the other, then the list's own order.
    const first = Boolean(column.down);
    if (state.sort !== column.key) update({ sort: column.key, down: first });
    else if (state.down === first) update({ down: !first });
    else update({ sort: "", down: false });
  }

  function turn(by) {
    update({}, state.page + by);
    byId("findings").scrollIntoView();
    byId("findings").focus({ preventScroll: true });
  }

  function build() {
    for (const column of COLUMNS) {
      const button = make("button", { type: "button", title: column.title }, column.head);
      const arrow = make("span", { class: "arrow", "aria-hidden": "true" });
      if (column.number) button.prepend(arrow); // the head stands over its numbers
      else button.append(arrow);
      button.addEventListener("click", () => sortBy(column));
      byId("heads").append(make("th", { scope: "col", class: `c-${column.key}${column.number ? " number" : ""}`, "data-key": column.key }, button));
    }
    const counts = new Map();
    for (const f of findings) counts.set(f.verdict, (counts.get(f.verdict) ?? 0) + 1);
    for (const verdict of VERDICTS.filter((one) => counts.has(one))) {
      const chip = make("button", { type: "button", class: `dot ${verdict}`, "data-verdict": verdict }, verdict, make("b", {}, many(counts.get(verdict))));
      chip.addEventListener("click", () => {
        const verdicts = new Set(state.verdicts);
        if (!verdicts.delete(verdict)) verdicts.add(verdict);
        update({ verdicts });
      });
      byId("chips").append(chip);
    }
    const sources = new Set(findings.map((f) => f.source).filter(Boolean));
    for (const source of sources) byId("source").append(make("option", { value: source }, source));
    byId("source-box").hidden = sources.size < 2;
    if (findings.length < data.records) {
      byId("held").textContent = `This file holds the first ${many(findings.length)} of ${many(data.records)} concepts; what stands above counts all.`;
      byId("held").hidden = false;
    }
    let waiting = 0;
    byId("search").addEventListener("input", (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => update({ words: event.target.value.trim() }), 120);
    });
    byId("source").addEventListener("change", (event) => update({ source: event.target.value }));
    byId("size").addEventListener("change", (event) => update({ size: Number(event.target.value) }));
    byId("before").addEventListener("click", () => turn(-1));
    byId("after").addEventListener("click", () => turn(1));
    window.addEventListener("hashchange", () => {
      if (location.hash !== "#findings") restore(); // that is the link that skips
    });
    byId("tool").hidden = false;
  }

  build();
  restore();
})();
