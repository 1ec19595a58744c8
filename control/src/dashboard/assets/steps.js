// Steps that are taken one after the other, seen while they are, and taken back where one fails.

import { ask } from "./api.js";
import { el, fill } from "./dom.js";
import { failure } from "./parts.js";

const MARKS = { waiting: "", running: "", done: "✓", failed: "!", undone: "↺" };
const WORDS = { waiting: "to do", running: "under way", done: "done", failed: "failed", undone: "taken back" };

// `list`: [key, what it is].
export function steps(list) {
  const items = new Map(list.map(([key, text]) => {
    const mark = el("span", { class: "mark", "aria-hidden": "true" });
    const state = el("span", { class: "unseen" });
    const note = el("span", { class: "sub" });
    const body = el("div", { class: "body" });
    const item = el("li", mark, el("div", el("span", text), " ", state, note, body));
    return [key, { item, mark, state, note, body }];
  }));
  const set = (key, state, note) => {
    const it = items.get(key);
    it.item.className = state;
    it.mark.textContent = MARKS[state];
    it.state.textContent = `(${WORDS[state]})`;
    if (note !== undefined) it.note.textContent = note;
  };
  for (const key of items.keys()) set(key, "waiting");
  return {
    element: el("ol", { class: "steps", "aria-live": "polite" }, [...items.values()].map((it) => it.item)),
    set,
    body: (key) => items.get(key).body,
    async run(key, work) {
      set(key, "running");
      try {
        const made = await work();
        set(key, "done");
        return made;
      } catch (error) {
        set(key, "failed");
        throw error;
      }
    },
  };
}

// What was made, so that it can be taken back: the last first. What cannot be taken back is told.
export class Made {
  #list = [];

  add(key, what, path) {
    this.#list.push([key, what, path]);
  }

  async undo(shown) {
    const left = [];
    for (const [key, what, path] of this.#list.reverse()) {
      try {
        await ask("DELETE", path);
        shown.set(key, "undone", "taken back");
      } catch (error) {
        left.push(`${what} stays: ${error.message}`);
      }
    }
    this.#list = [];
    return left;
  }
}

// What went wrong, and what is left of it.
export function showFailure(place, error, left) {
  fill(place,
    failure(error.name === "AbortError" ? new Error("It was stopped.") : error),
    el("p", left.length === 0
      ? "What was made before has been taken back. Nothing was kept."
      : "Not all could be taken back:"),
    left.length > 0 && el("ul", left.map((text) => el("li", text))));
}
