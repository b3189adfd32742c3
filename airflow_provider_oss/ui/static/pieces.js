/* Small things that more than one view shows. */

import { counted, bytes, duration, percent, rate } from "./format.js";
import { figuresOf, stateOf } from "./figures.js";
import { classes, h } from "./react.js";

/** The state of the transfer's task, in words and colour. */
export function State({ transfer }) {
  const { words, look } = stateOf(transfer);
  return h("span", { className: classes("ot-state", `ot-${look}`) }, words);
}

/** How far a transfer is. Of a total that is not known no percentage is shown. */
export function Bar({ transfer, label }) {
  const figures = figuresOf(transfer);
  if (!figures) return null;
  const { done, saved, total, fraction } = figures;
  const known = fraction !== null;
  const width = (part) => ({ width: `${known && total ? (100 * part) / total : 0}%` });
  const value = known ? { "aria-valuenow": Math.floor(fraction * 100), "aria-valuemin": 0, "aria-valuemax": 100 } : {};
  return h(
    "div",
    {
      role: "progressbar",
      "aria-label": label,
      "aria-valuetext": describe(figures),
      className: classes("ot-bar", `ot-${stateOf(transfer).look}`, !known && "ot-unknown"),
      ...value,
    },
    h("div", { className: "ot-saved", style: width(saved) }),
    h("div", { className: "ot-sent", style: total === 0 ? { width: "100%" } : width(done - saved) }),
  );
}

/** What the colours of a bar mean. */
export function BarKey() {
  return h(
    "span",
    { className: "ot-key", "aria-hidden": true },
    h(Swatch, { look: "verified" }),
    "not sent again",
    h(Swatch, { look: "stored" }),
    "sent",
  );
}

/** A small square in the colour of something. */
export const Swatch = ({ look }) => h("span", { className: `ot-swatch ot-swatch-${look}`, "aria-hidden": true });

/** "62 %, 124 MiB of 200 MiB"; of a stream "124 MiB so far". */
export function describe({ done, total, fraction }) {
  if (fraction === null) return `${bytes(done)} so far`;
  return total === done
    ? `${percent(fraction)}, ${bytes(done)}`
    : `${percent(fraction)}, ${bytes(done)} of ${bytes(total)}`;
}

/** What a resume saved: "132 MiB not sent again"; null when it saved nothing. */
export const savedWords = ({ saved }) => (saved > 0 ? `${bytes(saved)} not sent again` : null);

/** How fast it goes and how long it will take; null of a transfer that does not run. */
export function paceWords({ rate: pace, secondsLeft }) {
  if (pace === null) return null;
  return secondsLeft === null ? rate(pace) : `${rate(pace)}, ${duration(secondsLeft)} left`;
}

/** "3 tries repeated"; null when none failed. */
export const retriedWords = ({ retried }) => (retried > 0 ? `${counted(retried, "try", "tries")} repeated` : null);

/** A titled part of the page. */
export function Section({ title, aside, children }) {
  return h(
    "section",
    { className: "ot-section", "aria-label": title },
    h("h3", null, title, aside && h("small", null, aside)),
    children,
  );
}

/** Names and values, one below the other on narrow screens. Values that are null are left out. */
export function Figures({ rows }) {
  const given = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h(
    "dl",
    { className: "ot-figures" },
    given.map(([name, value, title]) => h("div", { key: name, title }, h("dt", null, name), h("dd", null, value))),
  );
}

/** A table: a caption that is heard and not seen, the columns' names, and the rows. */
export function Table({ caption, columns, look, children }) {
  const head = columns.map((name) => h("th", { key: name, scope: "col" }, name));
  return h(
    "table",
    { className: classes("ot-table", look) },
    h("caption", { className: "ot-unseen" }, caption),
    h("thead", null, h("tr", null, head)),
    h("tbody", null, children),
  );
}

/** A request that failed, in words; the data of the last one that did not is shown below it. */
export function Failure({ error }) {
  return h("div", { role: "alert" }, error && h("p", { className: "ot-note ot-error" }, error));
}

/** What the server has to say beside its data. */
export function Notes({ notes }) {
  return (notes ?? []).map((note) => h("p", { key: note, className: "ot-quiet ot-note" }, note));
}

/** What is there until the first answer is. */
export const Loading = () => h("p", { className: "ot-quiet", role: "status" }, "Loading …");

/** JSON as names and values; what is nested stays JSON. */
export function Values({ of }) {
  const text = (value) =>
    value !== null && typeof value === "object" ? JSON.stringify(value, null, 1) : String(value);
  return h(
    "dl",
    { className: "ot-values" },
    Object.entries(of).map(([name, value]) => h("div", { key: name }, h("dt", null, name), h("dd", null, text(value)))),
  );
}
