"use strict";
// The table of a report: what it shows of a finding, and what lies behind its row.
(() => {
  const VERDICTS = ["single_token", "phantom", "multi_token", "absent", "error"];
  const data = JSON.parse(byId("data").textContent);
  const findings = data.findings;

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
  const opened = new Set();

  function words(f) {
    const tokens = [...(f.pieces ?? []), ...(f.nearest ?? []), ...(f.snap ? [f.snap] : [])];
    return [f.concept, f.id, f.form, f.message, ...tokens.flatMap((t) => [t[1], t[2]])];
  }

  function nearTokens(f) {
    return (f.nearest ?? []).slice(0, 3).map((near) => text(near[2], "near"));
  }

  function row(f, i) {
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

  start(new Table({
    section: "findings",
    items: findings,
    total: data.records,
    noun: ["concept", "concepts"],
    columns: COLUMNS,
    row,
    words,
    chips: { name: "verdict", values: VERDICTS, of: (f) => [f.verdict], dot: (verdict) => verdict },
    choice: { name: "source", of: (f) => f.source },
    sizes: [100, 500, 2000],
  }));
})();
