// A table whose headings sort it. Its rows may change all the time; where one was in it stays.

import { el, fill } from "./dom.js";
import { select } from "./parts.js";

// `columns`: [key, heading, row => what it is sorted by, row => content]; `first` is the key that counts at first. Numbers begin
// with the largest, texts with the first.
export function sortable(caption, columns, first, empty) {
  let rows = [];
  let key = first;
  let isDown = true;
  let drawn = "";
  const body = el("tbody", { role: "rowgroup" });
  const nothing = el("p", { class: "empty" }, empty);
  const heads = columns.map(([name, heading]) => {
    const sort = el("button", { type: "button", class: "sort", onclick: () => choose(name) }, heading);
    return [name, el("th", { scope: "col", role: "columnheader" }, sort)];
  });
  // On a phone there are no headings.
  const choice = select("sort", columns.map(([name, heading]) => [name, heading]), key);
  choice.addEventListener("change", () => choose(choice.value));
  const table = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table of ${caption.toLowerCase()}` },
    el("label", { class: "sort-by" }, "Sort by", choice),
    el("table", { role: "table", class: "sortable" },
      el("caption", { class: "unseen" }, caption),
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads.map(([, head]) => head))),
      body));

  function choose(name) {
    isDown = name === key ? !isDown : rows.length === 0 || typeof valueOf(name)(rows[0]) === "number";
    key = name;
    choice.value = name;
    draw();
  }

  function valueOf(name) {
    return columns.find(([known]) => known === name)[2];
  }

  function draw() {
    const value = valueOf(key);
    const order = (a, b) => {
      const [x, y] = [value(a), value(b)];
      return typeof x === "number" ? x - y : x.localeCompare(y);
    };
    const sorted = rows.toSorted(order);
    if (isDown) sorted.reverse();
    for (const [name, head] of heads) {
      if (name === key) head.setAttribute("aria-sort", isDown ? "descending" : "ascending"); else head.removeAttribute("aria-sort");
    }
    table.hidden = rows.length === 0;
    nothing.hidden = rows.length > 0;
    const text = JSON.stringify(sorted);
    if (text === drawn) return;
    drawn = text;
    fill(body, sorted.map((row) => el("tr", { role: "row" }, columns.map(([, heading, , cell], index) => {
      const content = cell(row);
      if (index === 0) return el("th", { scope: "row", role: "rowheader" }, content);
      return el("td", { role: "cell", "data-label": heading }, el("div", content));
    }))));
  }

  draw();
  return {
    node: el("div", table, nothing),
    update(found) {
      rows = found;
      draw();
    },
  };
}
