/* How fast this attempt sends, over time. */

import { duration, isNumber, rate } from "./format.js";
import { Section } from "./pieces.js";
import { h } from "./react.js";

const WIDTH = 600;
const HEIGHT = 90;

/** The chart of the record's rates; nothing with fewer than two of them, which make no line. */
export function Rate({ record }) {
  const points = (record?.rates ?? []).filter((one) => Array.isArray(one) && one.every(isNumber));
  if (points.length < 2) return null;
  const highest = Math.max(...points.map(([, value]) => value), 1);
  const [end, last] = points[points.length - 1];
  const x = (seconds) => ((WIDTH * seconds) / (end || 1)).toFixed(1);
  const y = (value) => (HEIGHT * (1 - value / highest)).toFixed(1);
  const line = points.map(([seconds, value]) => `${x(seconds)} ${y(value)}`).join("L");
  const label = `Rate over ${duration(end)}: highest ${rate(highest)}, last ${rate(last)}`;
  return h(
    Section,
    { title: "Rate", aside: `this attempt; highest ${rate(highest)}` },
    h(
      "svg",
      {
        role: "img",
        "aria-label": label,
        className: "ot-rate",
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: "none",
      },
      h("path", { className: "ot-area", d: `M${x(points[0][0])} ${HEIGHT}L${line}L${WIDTH} ${HEIGHT}z` }),
      h("path", { className: "ot-line", d: `M${line}`, vectorEffect: "non-scaling-stroke" }),
    ),
    h("p", { className: "ot-axis", "aria-hidden": true }, h("span", null, "begin"), h("span", null, duration(end))),
  );
}
