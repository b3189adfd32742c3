/* All instances of a mapped task, below one picture of their parts. */

import { OutLink, PageLink, queryOf } from "./address.js";
import { figuresOf, isRunning, targetOf } from "./figures.js";
import { bytes, rate } from "./format.js";
import { Parts } from "./parts.js";
import { Bar, Section, State, describe, paceWords, savedWords } from "./pieces.js";
import { h } from "./react.js";

/** The instances of a mapped task. They are one upload when they store ranges of one object. */
export function Group({ group, current }) {
  const ordered = [...group].sort((one, other) => one.map_index - other.map_index);
  return h(
    "div",
    null,
    h(Together, { group: ordered }),
    isOneUpload(ordered) && h(Parts, { transfers: ordered }),
    h(
      Section,
      { title: "Mapped instances", aside: h(WholeLink, { group: ordered, current }) },
      h(
        "ul",
        { className: "ot-group" },
        ordered.map((one) => h(Instance, { key: one.map_index, transfer: one, current })),
      ),
    ),
  );
}

function WholeLink({ group, current }) {
  const words = `${group.length} in this run`;
  return current === null ? words : h(PageLink, { query: { ...queryOf(group[0]), map_index: null } }, words);
}

/** Whether the parts of all instances are those of one object. */
export function isOneUpload(group) {
  const ranges = group.filter((one) => one.record?.parts);
  const firsts = new Set(ranges.map((one) => one.record.parts.first));
  return (
    ranges.length > 0 && firsts.size === ranges.length && new Set(ranges.map((one) => one.record.target)).size === 1
  );
}

function Together({ group }) {
  const figures = group.map(figuresOf).filter(Boolean);
  const sum = (name) => figures.reduce((total, one) => total + (one[name] ?? 0), 0);
  const whole = figures.length === group.length && figures.every((one) => one.total !== null) ? sum("total") : null;
  const done = sum("done");
  const pace = sum("rate");
  const words = [
    whole ? `${bytes(done)} of ${bytes(whole)}, ${Math.floor((100 * done) / whole)} %` : `${bytes(done)} so far`,
    pace > 0 && rate(pace),
    savedWords({ saved: sum("saved") }),
  ];
  return h("p", { className: "ot-summary" }, `All together: ${words.filter(Boolean).join(", ")}`);
}

function Instance({ transfer, current }) {
  const figures = figuresOf(transfer);
  const name = `[${transfer.map_index}] ${targetOf(transfer).name}`;
  const here = transfer.map_index === current;
  const said = figures && [describe(figures), paceWords(figures), savedWords(figures)].filter(Boolean).join(", ");
  return h(
    "li",
    null,
    here ? h("strong", { "aria-current": "true" }, name) : h(PageLink, { query: queryOf(transfer) }, name),
    h(Bar, { transfer, label: `Progress of ${name}` }),
    h("small", null, said ?? "no record of its progress"),
    h(
      "span",
      null,
      h(State, { transfer }),
      !isRunning(transfer) && h(OutLink, { to: transfer.task_url, className: "ot-small" }, "Task"),
    ),
  );
}
