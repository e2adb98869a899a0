// A file that is given to the server: picked or dropped, held until it is removed.

import { give } from "./ask.js";
import { errorBox, say } from "./parts.js";
import { make } from "./dom.js";

// word: of the question, which becomes what the server calls the file; its own name stands in `named`
// label, accept: of what picks one; changed: is told when another is held, or none
export function fileField({ word, label, accept, changed }) {
  const fault = errorBox();
  const input = make("input", { type: "file", accept });
  const picked = make("label", {}, make("span", {}, label), input);
  const name = make("bdi", { class: "token" });
  const remove = make("button", { type: "button" }, "Remove");
  const held = make("p", { class: "held", hidden: "" }, "File: ", name, " ", remove);
  const called = make("input", { type: "hidden", name: word });
  const named = make("input", { type: "hidden", name: "named" });

  function hold(file, own) {
    called.value = file;
    named.value = own;
    held.hidden = !file;
    picked.hidden = Boolean(file);
    name.textContent = own || "a file";
    changed?.();
  }

  async function take(file) {
    fault.show(null);
    say(`${file.name} is being read`);
    try {
      hold(await give(file), file.name);
      say(`${file.name} is held`);
    } catch (error) {
      hold("", "");
      fault.show(error);
    }
  }

  input.addEventListener("change", () => {
    if (input.files.length) take(input.files[0]);
    input.value = "";
  });
  remove.addEventListener("click", () => { hold("", ""); input.focus(); });

  return {
    controls: [picked, held, called, named, fault],
    held: () => called.value,
    // Holds what an address says.
    filled: (asked) => hold(asked.get(word) ?? "", asked.get("named") ?? ""),
    // Takes what is dropped anywhere on a panel.
    drop(section) {
      const hasFile = (event) => event.dataTransfer?.types.includes("Files");
      section.addEventListener("dragover", (event) => {
        if (!hasFile(event)) return;
        event.preventDefault();
        section.classList.add("drop");
      });
      section.addEventListener("dragleave", (event) => {
        if (!section.contains(event.relatedTarget)) section.classList.remove("drop");
      });
      section.addEventListener("drop", (event) => {
        section.classList.remove("drop");
        if (!hasFile(event)) return;
        event.preventDefault();
        if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
      });
    },
  };
}
