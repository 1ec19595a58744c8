// Charts over time, drawn as SVG: stacked bars or lines, with what a point says under the pointer, by arrow keys and as a table.
//
// Nothing in a chart is known by its colour alone: the legend has the order of a stack and the dashes of lines, and the values
// stand in words beside the point that is looked at.

import { el, fill, newId, svg } from "./dom.js";
import { clock } from "./format.js";

const HEIGHT = 170;
const MARGIN = { top: 8, right: 8, bottom: 22, left: 52 };
const USUAL_WIDTH = 640;
const DAY_SECONDS = 86400;

// `series`: [{ name, look, value: point => number or null }]; `look` is a class of charts.css. `kind` is "stack" or "lines", `scale`
// "linear" or "log", `format` writes a value. Returns the element and what gives it other points.
export function chart({ title, series, kind = "lines", scale = "linear", format }) {
  const id = newId("chart");
  const plot = el("div", {
    class: "plot", tabindex: "0", role: "slider", "aria-labelledby": id, "aria-describedby": `${id}-about`,
    "aria-orientation": "horizontal", "aria-valuemin": "0",
  });
  const about = el("p", { class: "unseen", id: `${id}-about` });
  const said = el("div", { class: "said", hidden: true });
  const rows = el("div");
  const table = el("details", { class: "values", ontoggle: () => draw() }, el("summary", "As a table"), rows);
  const node = el("figure", { class: "chart" },
    el("figcaption", el("h3", { id }, title)),
    plot, about,
    el("ul", { class: "legend" }, series.map(({ name, look }) => el("li", el("span", { class: `key ${kind} ${look}` }), name))),
    table);
  const state = { points: [], at: null, width: USUAL_WIDTH };

  function select(at) {
    state.at = at === null || state.points.length === 0 ? null : Math.max(0, Math.min(at, state.points.length - 1));
    draw();
  }

  function draw() {
    const { points, at } = state;
    const long = points.length > 0 && points.length * (points[0].point_seconds ?? 60) >= DAY_SECONDS;
    const words = (point) => [clock(point.at, long), ...series.map((it) => `${it.name} ${format(it.value(point))}`)];
    const last = at ?? points.length - 1;
    plot.setAttribute("aria-valuemax", String(Math.max(points.length - 1, 0)));
    plot.setAttribute("aria-valuenow", String(Math.max(last, 0)));
    plot.setAttribute("aria-valuetext", points.length > 0 ? words(points[last]).join(", ") : "nothing yet");
    fill(about, summary(points, series, format, long));
    fill(plot, picture({ points, series, kind, scale, format, at, width: state.width, long }), said);
    said.hidden = at === null;
    if (at !== null) {
      const [when, ...values] = words(points[at]);
      fill(said, el("b", when), el("ul", values.map((text, index) =>
        el("li", el("span", { class: `key ${kind} ${series[index].look}` }), text))));
      const x = place(at, points.length, state.width);
      said.style.left = x > state.width / 2 ? "auto" : `${x + 10}px`;
      said.style.right = x > state.width / 2 ? `${state.width - x + 10}px` : "auto";
    }
    // Most never look at it.
    fill(rows, table.open && values(title, points, series, format, long));
  }

  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const inner = state.width - MARGIN.left - MARGIN.right;
    select(Math.floor(((event.clientX - box.left - MARGIN.left) / inner) * state.points.length));
  });
  plot.addEventListener("pointerleave", () => select(null));
  plot.addEventListener("blur", () => select(null));
  plot.addEventListener("focus", () => {
    if (plot.matches(":focus-visible")) select(state.points.length - 1);
  });
  plot.addEventListener("keydown", (event) => {
    const at = state.at ?? state.points.length - 1;
    const to = {
      ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageUp: at + 10, PageDown: at - 10,
      Home: 0, End: state.points.length - 1, Escape: null,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    select(to);
  });
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width > 0 && Math.abs(contentRect.width - state.width) >= 1) {
      state.width = contentRect.width;
      draw();
    }
  }).observe(plot);
  draw();
  return {
    node,
    update(points) {
      state.points = points;
      select(state.at);
    },
  };
}

function summary(points, series, format, long) {
  if (points.length === 0) return "Nothing was measured yet.";
  const parts = series.map(({ name, value }) => {
    const known = points.map(value).filter((it) => it !== null);
    return `${name} at most ${known.length > 0 ? format(Math.max(...known)) : "nothing"}`;
  });
  return `From ${clock(points[0].at, long)} to ${clock(points.at(-1).at, long)}: ${parts.join(", ")}. Arrow keys go from point to point.`;
}

function values(title, points, series, format, long) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Values of ${title}` },
    el("table", { class: "plain" },
      el("caption", { class: "unseen" }, title),
      el("thead", el("tr", el("th", { scope: "col" }, "From"), series.map(({ name }) => el("th", { scope: "col" }, name)))),
      el("tbody", points.toReversed().map((point) => el("tr",
        el("th", { scope: "row" }, clock(point.at, long)), series.map(({ value }) => el("td", format(value(point)))))))));
}

// The middle of a point.
function place(at, count, width) {
  const inner = width - MARGIN.left - MARGIN.right;
  return MARGIN.left + ((at + 0.5) * inner) / Math.max(count, 1);
}

function picture({ points, series, kind, scale, format, at, width, long }) {
  const inner = HEIGHT - MARGIN.top - MARGIN.bottom;
  const columns = points.map((point) => series.map((it) => it.value(point)));
  const highest = kind === "stack"
    ? columns.map((column) => column.reduce((sum, value) => sum + (value ?? 0), 0))
    : columns.flat().filter((value) => value !== null);
  const axis = scale === "log" ? logarithmic(highest) : linear(highest);
  const x = (index) => place(index, points.length, width);
  const y = (value) => MARGIN.top + inner * (1 - axis.part(value));
  return svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, "aria-hidden": "true", focusable: "false" },
    axis.ticks.map((value) => [
      svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
      svg("text", { class: "tick", x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)),
    ]),
    hours(points, width, long).filter(([index]) => x(index) < width - 36).map(([index, text]) =>
      svg("text", { class: "tick", x: x(index), y: HEIGHT - 5, "text-anchor": "middle" }, text)),
    at !== null && svg("line", { class: "cursor", x1: x(at), x2: x(at), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }),
    kind === "stack"
      ? bars(columns, series, x, y, (width - MARGIN.left - MARGIN.right) / Math.max(points.length, 1))
      : series.map(({ look }, number) => line(columns.map((column) => column[number]), look, x, y, at)),
    highest.every((value) => value === 0) && svg("text", {
      class: "tick", x: width / 2, y: HEIGHT / 2, "text-anchor": "middle",
    }, "Nothing"));
}

function bars(columns, series, x, y, step) {
  const wide = Math.max(step - (step > 4 ? 1.5 : 0.25), 0.5);
  return columns.map((column, index) => {
    let below = 0;
    return column.map((value, number) => {
      if (!value) return null;
      const [from, to] = [below, below + value];
      below = to;
      return svg("rect", {
        class: series[number].look, x: x(index) - wide / 2, width: wide, y: y(to), height: Math.max(y(from) - y(to), 0.5),
      });
    });
  });
}

// Where nothing was measured, there is no line; a point alone is a dot.
function line(values, look, x, y, at) {
  let path = "";
  const dots = [];
  values.forEach((value, index) => {
    if (value === null) return;
    const isFirst = index === 0 || values[index - 1] === null;
    path += `${isFirst ? "M" : "L"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    const isAlone = isFirst && (index === values.length - 1 || values[index + 1] === null);
    if (isAlone || index === at) dots.push(svg("circle", { class: `dot ${look}`, cx: x(index), cy: y(value), r: index === at ? 3.5 : 2 }));
  });
  return [svg("path", { class: `line ${look}`, d: path }), dots];
}

function linear(values) {
  const top = Math.max(...values, 0);
  const rough = (top || 1) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((it) => it * power).find((it) => it >= rough);
  const end = Math.ceil((top || 1) / step) * step;
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => Number((index * step).toPrecision(6)));
  return { ticks, part: (value) => value / end };
}

function logarithmic(values) {
  const known = values.filter((value) => value > 0);
  const from = Math.floor(Math.log10(Math.min(...known, 1)));
  const to = Math.max(Math.ceil(Math.log10(Math.max(...known, 1))), from + 1);
  const every = Math.ceil((to - from) / 4);
  const ticks = [];
  for (let power = from; power <= to; power += every) ticks.push(10 ** power);
  return { ticks, part: (value) => (Math.log10(Math.max(value, 10 ** from)) - from) / (to - from) };
}

// A few times along the axis.
function hours(points, width, long) {
  const most = Math.max(Math.floor(width / (long ? 130 : 90)), 1);
  const every = Math.max(Math.ceil(points.length / most), 1);
  const first = Math.floor(every / 2);
  return points.map((point, index) => [index, clock(point.at, long)]).filter(([index]) => index % every === first);
}
