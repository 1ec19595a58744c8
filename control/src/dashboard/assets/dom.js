// The only place where elements are made. Texts become text nodes, whatever is in them.

// el("p", { class: "note" }, "text", el("b", "more")): properties may be left out; what is null or false is skipped.
export function el(name, ...rest) {
  return made(document.createElement(name), rest);
}

// The same for a picture.
export function svg(name, ...rest) {
  return made(document.createElementNS("http://www.w3.org/2000/svg", name), rest);
}

function made(node, rest) {
  const [first] = rest;
  if (first && Object.getPrototypeOf(first) === Object.prototype) {
    rest.shift();
    for (const [key, value] of Object.entries(first)) set(node, key, value);
  }
  append(node, rest);
  return node;
}

function set(node, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith("on")) {
    node.addEventListener(key.slice(2), value);
  } else if (key === "value" || key === "checked" || key === "selected") {
    node[key] = value;
  } else if (key === "href" && !/^(#|\/(?!\/))/.test(value)) {
    throw new Error("a link that leads elsewhere");
  } else {
    node.setAttribute(key, value === true ? "" : String(value));
  }
}

export function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

export function fill(node, ...children) {
  node.replaceChildren();
  return append(node, children);
}

let count = 0;

export function newId(prefix) {
  count += 1;
  return `${prefix}-${count}`;
}

// A link to one of our pages.
export function link(segments, ...children) {
  return el("a", { href: place(segments) }, children);
}

export function place(segments) {
  return `#/${segments.map(encodeURIComponent).join("/")}`;
}

export function go(segments) {
  location.hash = place(segments);
}

// Waits, unless the page is left.
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const left = () => reject(new DOMException("left", "AbortError"));
    if (signal?.aborted) return left();
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", left);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      left();
    }, { once: true });
  });
}

// Calls `look` again and again while the page is shown and the window is seen; a failure is for `look` to show.
export async function watch(signal, seconds, look) {
  try {
    while (true) {
      await pause(seconds * 1000, signal);
      if (!document.hidden) await look();
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}
