"use strict";
// The tables of a vocabulary: odd tokens, blocks of Unicode, fragments.
(() => {
  const data = JSON.parse(byId("data").textContent);

  const cell = (kind, ...children) => make("td", { class: kind }, ...children);
  const count = (kind, value) => cell(`c-${kind} number`, many(value));

  // A token as people read it, and its own string where that is another.
  function token(one) {
    return make("th", { scope: "row", class: "c-token" }, text(one.text, "token line"),
      one.own === null ? null : text(one.own, "own small token line"));
  }

  // Odd tokens

  const { oddities, way } = data.odd;
  const odd = data.odd.rows.map(([id, shown, own, kind, script, norm, distance, why]) => ({
    id, text: shown, own, kind, script, norm, distance,
    why: why.map(([place, like]) => ({ name: oddities[place], like })),
  }));
  const dotOf = (name) => `odd-${name.replaceAll(" ", "-")}`;

  function reasons(one) {
    const items = one.why.map(({ name, like }) => make("li", { class: `dot ${dotOf(name)}` }, name,
      like === null ? null : make("span", { class: "small" }, name === "same text" ? ` as #${like}` : ` to #${like}`)));
    return make("ul", { class: "why" }, ...items);
  }

  const oddTable = new Table({
    at: "odd-",
    section: "odd",
    items: odd,
    total: data.odd.total,
    noun: ["odd token", "odd tokens"],
    columns: [
      { key: "token", head: "Token", of: (one) => one.text },
      { key: "id", head: "id", of: (one) => one.id, number: true },
      { key: "kind", head: "Kind", of: (one) => one.kind },
      { key: "script", head: "Script", of: (one) => one.script },
      { key: "norm", head: "Norm", of: (one) => one.norm, number: true },
      { key: "distance", head: "Distance", of: (one) => one.distance, number: true,
        title: way ? `1 less the cosine with the mean of the unused rows, ${way}` : "nothing to compare with" },
      { key: "why", head: "Why", of: (one) => oddities.indexOf(one.why[0].name) },
    ],
    row: (one) => [make("tr", { class: "row" },
      token(one),
      cell("c-id number small", String(one.id)),
      cell("c-kind small", one.kind),
      cell("c-script small", one.script.replaceAll("_", " ")),
      cell("c-norm number", fixed(one.norm, 3)),
      cell("c-distance number", fixed(one.distance, 3)),
      cell("c-why", reasons(one)))],
    words: (one) => [one.text, one.own, `#${one.id}`, one.script.replaceAll("_", " ")],
    chips: { name: "why", values: oddities, of: (one) => one.why.map(({ name }) => name), dot: dotOf },
    choice: { name: "kind", of: (one) => one.kind },
    sizes: [50, 200, 1000],
  });

  // Blocks of Unicode

  const WAYS = ["one", "several", "pieces", "none"];
  const blocks = data.blocks.map(([name, one, several, pieces, none]) => ({
    name, one, several, pieces, none, total: one + several + pieces + none,
  }));
  const COVERED = ["every character", "some characters", "no character"]; // that is one token
  const covered = (block) => COVERED[block.one === block.total ? 0 : block.one ? 1 : 2];

  function bar(block) {
    const parts = WAYS.filter((name) => block[name]).map((name) => {
      const part = make("span", { class: `way-${name}` });
      part.style.flexGrow = block[name];
      return part;
    });
    return make("div", { class: "bar", "aria-hidden": "true" }, ...parts);
  }

  const blockTable = new Table({
    at: "blocks-",
    section: "blocks",
    items: blocks,
    total: blocks.length,
    noun: ["block", "blocks"],
    columns: [
      { key: "block", head: "Block", of: (block) => block.name },
      { key: "total", head: "Characters", of: (block) => block.total, number: true, down: true },
      { key: "one", head: "One token", of: (block) => block.one, number: true, down: true },
      { key: "several", head: "Several", of: (block) => block.several, number: true, down: true,
        title: "several tokens, each of them whole text" },
      { key: "pieces", head: "Bytes", of: (block) => block.pieces, number: true, down: true,
        title: "tokens of which some are bytes or fragments" },
      { key: "none", head: "Not at all", of: (block) => block.none, number: true, down: true,
        title: "characters that cannot be written" },
      { key: "share", head: "Share", of: (block) => block.one / block.total, down: true,
        title: "of the characters, those that are one token" },
    ],
    row: (block) => [make("tr", { class: "row" },
      make("th", { scope: "row", class: "c-block" }, text(block.name)),
      count("total", block.total),
      ...WAYS.map((name) => count(name, block[name])),
      cell("c-share", bar(block)))],
    words: (block) => [block.name],
    chips: {
      name: "covered", values: COVERED, of: (block) => [covered(block)],
      dot: (value) => `covered-${COVERED.indexOf(value)}`,
    },
    sizes: [20, 100, 500],
  });

  // Fragments

  const ROLES = ["begins", "completes", "inside", "nothing"];
  const fragments = data.fragments.rows.map(([id, shown, own, kind, lacks, begins, completes, inside, first]) => ({
    id, text: shown, own, kind, lacks, begins, completes, inside, first,
  }));

  function roles(one) {
    const found = ROLES.filter((role) => one[role]);
    return found.length ? found : ["nothing"];
  }

  function fragmentTable() {
    return new Table({
      at: "fragments-",
      section: "fragments",
      items: fragments,
      total: data.fragments.total,
      noun: ["fragment", "fragments"],
      columns: [
        { key: "token", head: "Token", of: (one) => one.text },
        { key: "id", head: "id", of: (one) => one.id, number: true },
        { key: "lacks", head: "Lacks", of: (one) => one.lacks, number: true,
          title: "how many bytes make it whole" },
        { key: "begins", head: "Begins", of: (one) => one.begins, number: true, down: true,
          title: "how many characters it begins" },
        { key: "completes", head: "Completes", of: (one) => one.completes, number: true, down: true,
          title: "how many characters it completes" },
        { key: "inside", head: "Inside", of: (one) => one.inside, number: true, down: true,
          title: "how many characters it stands inside of" },
        { key: "first", head: "Characters", of: (one) => one.first[0] ?? null,
          title: "the first of these" },
      ],
      row: (one) => [make("tr", { class: "row" },
        token(one),
        cell("c-id number small", String(one.id)),
        cell("c-lacks number", one.lacks === null ? "never whole" : String(one.lacks)),
        ...ROLES.slice(0, 3).map((role) => count(role, one[role])),
        cell("c-first", ...one.first.map((char) => text(char, "char"))))],
      words: (one) => [one.text, one.own, `#${one.id}`, ...one.first],
      chips: { name: "part", values: ROLES, of: roles, dot: (role) => `part-${role}` },
      sizes: [20, 100, 500],
    });
  }

  start(oddTable, blockTable, ...(fragments.length ? [fragmentTable()] : []));
})();
