// Asking the API. An error of the API is a Refused, with the column where it is known.

export class Refused extends Error {
  constructor({ message, column }, status = 0) {
    super(message);
    this.column = column;
    this.status = status;
  }
}

const GONE = { message: "the server does not answer: is it still running?", column: null };

function gone(error) {
  if (error.name === "AbortError") throw error;
  throw new Refused(GONE);
}

// What the server answers, or why it does not.
async function reach(path, options) {
  const response = await fetch(path, options).catch(gone);
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  throw new Refused(said?.error ?? { message: `the server said ${response.status}`, column: null }, response.status);
}

function post(name, question, signal) {
  const headers = { "Content-Type": "application/json" };
  return reach(`api/${name}`, { method: "POST", signal, headers, body: JSON.stringify(question) });
}

// A question that is answered at once.
export async function ask(name, question, signal) {
  return (await post(name, question, signal)).json();
}

// A question whose answer comes in lines: progress and parts go to told as they come.
export async function askLong(name, question, { signal, told }) {
  const response = await post(name, question, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let last = null;
  for (;;) {
    const { value, done } = await reader.read().catch(gone);
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const said = JSON.parse(line);
      if ("command" in said || "error" in said) last = said;
      else told(said);
    }
  }
  if (!last) throw new Refused(GONE);
  if (last.error) throw new Refused(last.error);
  return last;
}

// Gives a file to the server; what it is called there.
export async function give(file) {
  const ending = /\.[a-z]+$/.exec(file.name.toLowerCase())?.[0] ?? ".txt";
  const headers = { "Content-Type": "application/octet-stream" };
  const response = await reach(`api/file?ending=${encodeURIComponent(ending)}`, { method: "POST", headers, body: file });
  return (await response.json()).file;
}

export async function read(path) {
  return (await reach(path)).json();
}
