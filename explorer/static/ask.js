// Asking the API. An error of the API is a Refused, with the column where it is known.

export class Refused extends Error {
  constructor({ message, column }, status = 0) {
    super(message);
    this.column = column;
    this.status = status;
  }
}

const GONE = { message: "the server does not answer: is it still running?", column: null };

async function post(name, question, signal) {
  const options = {
    method: "POST", signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(question),
  };
  return fetch(`api/${name}`, options).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refused(GONE);
  });
}

async function refusal(response) {
  const said = await response.json().catch(() => null);
  return new Refused(said?.error ?? { message: `the server said ${response.status}`, column: null }, response.status);
}

// A question that is answered at once.
export async function ask(name, question, signal) {
  const response = await post(name, question, signal);
  if (!response.ok) throw await refusal(response);
  return response.json();
}

// A question whose answer comes in lines: progress and parts go to told as they come.
export async function askLong(name, question, { signal, told }) {
  const response = await post(name, question, signal);
  if (!response.ok) throw await refusal(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let last = null;
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new Refused(GONE);
    });
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
export async function give(file, signal) {
  const ending = /\.[a-z]+$/.exec(file.name.toLowerCase())?.[0] ?? ".txt";
  const options = { method: "POST", signal, body: file, headers: { "Content-Type": "application/octet-stream" } };
  const response = await fetch(`api/file?ending=${encodeURIComponent(ending)}`, options).catch(() => {
    throw new Refused(GONE);
  });
  if (!response.ok) throw await refusal(response);
  return (await response.json()).file;
}

export async function read(path) {
  const response = await fetch(path).catch(() => { throw new Refused(GONE); });
  if (!response.ok) throw await refusal(response);
  return response.json();
}
