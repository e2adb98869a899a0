// The address: which panel is open, and all that is asked there. A link reproduces the view.

export function here() {
  const [panel, query] = location.hash.slice(1).split("?", 2);
  return { panel, asked: new URLSearchParams(query ?? "") };
}

export function hashOf(panel, asked) {
  const query = asked.toString();
  return `#${panel}${query ? `?${query}` : ""}`;
}

// Writes the address: a new step of the history, or in the place of the last.
export function goTo(panel, asked, { step = false } = {}) {
  const hash = hashOf(panel, asked);
  if (hash === location.hash) return;
  history[step ? "pushState" : "replaceState"](null, "", hash);
}
