"use strict";
// What scripts of pages have in common. Texts come harmless from Python and become text nodes,
// never HTML.

export const byId = (id) => document.getElementById(id);
export const many = (n) => n.toLocaleString("en");

export function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// A value as a cell of CSV; a text that a spreadsheet would take for a formula is made harmless.
export function cell(value) {
  if (value === null || value === undefined) return "";
  let written = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(written)) written = `'${written}`;
  return /[",\n\r]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written;
}

// Rows, all with the names of the first, as CSV.
export function csvOf(rows) {
  const names = Object.keys(rows[0] ?? {});
  const lines = [names, ...rows.map((row) => names.map((name) => row[name]))];
  return `${lines.map((line) => line.map(cell).join(",")).join("\n")}\n`;
}

export function save(name, type, content) {
  const link = make("a", { download: name });
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
