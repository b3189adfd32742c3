/* The attempts of one transfer, one below the other. */

import { bytes, duration, isNumber } from "./format.js";
import { Section, Table } from "./pieces.js";
import { h } from "./react.js";

const COLUMNS = ["Attempt", "Ended", "Sent, and not sent again", "Sent", "Verified", "Skipped", "Time"];
const LOOKS = { succeeded: "good", running: "running", failed: "bad", killed: "bad", stopped: "waiting" };

/** What each attempt sent and what it found stored; nothing when the record has no attempts. */
export function Attempts({ transfer }) {
  const { record } = transfer;
  const attempts = endedAttempts(transfer);
  if (attempts.length === 0) return null;
  const whole = isNumber(record.total) ? record.total : Math.max(...attempts.map(amountOf), 0);
  return h(
    Section,
    { title: "Attempts" },
    h(
      Table,
      { caption: "Attempts, first to latest", columns: COLUMNS, look: "ot-attempts" },
      attempts.map((one) => h(Attempt, { key: one.number, attempt: one, whole })),
    ),
  );
}

/** The attempts of the record. One that says it runs was killed, unless the task runs, and in that attempt. */
function endedAttempts({ state, try_number: now, record }) {
  const isOver = ({ number }) => state !== "running" || number < now;
  return (record?.attempts ?? []).map((one) =>
    one.state === "running" && isOver(one) ? { ...one, state: "killed" } : one,
  );
}

const amountOf = ({ sent, verified, skipped }) => (sent ?? 0) + (verified ?? 0) + (skipped ?? 0);

function Attempt({ attempt, whole }) {
  const { number, state, sent, verified, skipped, retried, seconds, error } = attempt;
  const width = (amount) => ({ width: `${whole > 0 ? Math.min(100, (100 * amount) / whole) : 0}%` });
  const saved = (verified ?? 0) + (skipped ?? 0);
  return h(
    "tr",
    null,
    h("td", { "data-label": "Attempt" }, number),
    h(
      "td",
      { "data-label": "Ended" },
      h("span", { className: `ot-state ot-${LOOKS[state] ?? "plain"}` }, state),
      error && h("small", { className: "ot-loss" }, error),
      retried > 0 && h("small", null, `${retried} repeated`),
    ),
    h(
      "td",
      { className: "ot-progress" },
      h(
        "div",
        { className: "ot-bar ot-good", "aria-hidden": true },
        h("div", { className: "ot-saved", style: width(saved) }),
        h("div", { className: "ot-sent", style: width(sent ?? 0) }),
      ),
    ),
    h("td", { "data-label": "Sent" }, bytes(sent)),
    h("td", { "data-label": "Verified" }, bytes(verified)),
    h("td", { "data-label": "Skipped" }, bytes(skipped)),
    h("td", { "data-label": "Time" }, duration(seconds)),
  );
}
