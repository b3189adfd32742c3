/* The map of the parts: a square for each, such as a torrent client draws. Ten thousand are four paths. */

import { bytes, counted } from "./format.js";
import { IN_FLIGHT, MISSING, STATES, STORED, VERIFIED, countsOf, rangesText, statesOf } from "./part_states.js";
import { Section, Swatch } from "./pieces.js";
import { h, useEffect, useRef, useState } from "./react.js";

const LARGEST_CELL = 22;
const SMALLEST_CELL = 3;
const HIGHEST = 300;
const GAP = 1;

/** The map of one upload, or of all ranges of a mapped one; nothing when no record tells of parts. */
export function Parts({ transfers }) {
  const pieces = transfers
    .filter((one) => one.record?.parts)
    .map((one) => ({ parts: one.record.parts, running: one.state === "running" }));
  const states = statesOf(pieces);
  if (states.length === 0) return null;
  const size = pieces[0].parts.size;
  const known = pieces.every(({ parts }) => parts.count);
  const aside = `${counted(states.length, "part")}${known ? "" : " so far"}${size ? ` of ${bytes(size)}` : ""}`;
  return h(Section, { title: "Parts", aside }, h(PartMap, { states, size }));
}

function PartMap({ states, size }) {
  const [frame, width] = useWidth();
  const [pointed, setPointed] = useState(null);
  const counts = countsOf(states);
  const grid = gridOf(states.length, width);
  return h(
    "div",
    { ref: frame, className: "ot-map" },
    width > 0 && h(Drawing, { states, grid, counts, onPoint: setPointed }),
    h(Legend, { counts }),
    h("p", { className: "ot-pointed", "aria-hidden": true }, pointed === null ? "" : partWords(pointed, states, size)),
    h(AsText, { states, counts }),
  );
}

function Drawing({ states, grid, counts, onPoint }) {
  const { columns, cell, rows } = grid;
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const part = Math.floor((event.clientY - box.top) / cell) * columns + Math.floor((event.clientX - box.left) / cell);
    onPoint(part >= 0 && part < states.length ? part : null);
  };
  return h(
    "svg",
    {
      role: "img",
      "aria-label": `Map of ${counted(states.length, "part")}: ${countWords(counts)}`,
      width: columns * cell,
      height: rows * cell,
      onMouseMove: point,
      onMouseLeave: () => onPoint(null),
    },
    STATES.map(({ look }, state) =>
      h("path", { key: look, className: `ot-part-${look}`, d: pathOf(states, state, grid) }),
    ),
  );
}

/** The columns, the cell's size in pixels and the rows that show so many parts in this width. */
export function gridOf(count, width) {
  let cell = LARGEST_CELL;
  while (cell > SMALLEST_CELL && Math.ceil(count / columnsOf(cell, width)) * cell > HIGHEST) cell -= 1;
  // A few parts fill one row, as a bar does
  const columns = Math.min(count, columnsOf(cell, width));
  return { columns, cell, rows: Math.ceil(count / columns) };
}

const columnsOf = (cell, width) => Math.max(1, Math.floor(width / cell));

function pathOf(states, wanted, { columns, cell }) {
  const side = cell - GAP;
  const squares = [];
  for (let part = 0; part < states.length; part += 1) {
    if (states[part] !== wanted) continue;
    squares.push(`M${(part % columns) * cell} ${Math.floor(part / columns) * cell}h${side}v${side}h-${side}z`);
  }
  return squares.join("");
}

function Legend({ counts }) {
  return h(
    "ul",
    { className: "ot-legend" },
    [VERIFIED, STORED, IN_FLIGHT, MISSING]
      .filter((state) => counts[state] > 0)
      .map((state) =>
        h(
          "li",
          { key: state },
          h(Swatch, { look: STATES[state].look }),
          `${counts[state].toLocaleString("en")} ${STATES[state].name}`,
        ),
      ),
  );
}

/** The same map for those who read it: the numbers of the parts in each state. */
function AsText({ states, counts }) {
  const rows = STATES.map(({ name }, state) => [name, state]).filter(([, state]) => counts[state] > 0);
  return h(
    "details",
    { className: "ot-details" },
    h("summary", null, "The numbers of the parts"),
    h(
      "dl",
      { className: "ot-values" },
      rows.map(([name, state]) =>
        h("div", { key: name }, h("dt", null, name), h("dd", null, rangesText(states, state))),
      ),
    ),
  );
}

const countWords = (counts) =>
  STATES.map(({ name }, state) => [counts[state], name])
    .filter(([count]) => count > 0)
    .reverse()
    .map(([count, name]) => `${count.toLocaleString("en")} ${name}`)
    .join(", ");

function partWords(part, states, size) {
  const where = size ? `, from ${bytes(part * size)}` : "";
  return `Part ${(part + 1).toLocaleString("en")}${where}: ${STATES[states[part]].name}`;
}

/** The width of an element, measured again when it changes: [ref, pixels]. */
function useWidth() {
  const frame = useRef(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, []);
  return [frame, width];
}
