/* One transfer: how far it is, its parts, its rate, its attempts and what went wrong. */

import { OutLink, PageLink } from "./address.js";
import { usePolled } from "./api.js";
import { Attempts } from "./attempts.js";
import { figuresOf, isRunning, targetOf, taskName } from "./figures.js";
import { ago, bytes, clockTime, duration, rate } from "./format.js";
import { Group, isOneUpload } from "./group.js";
import { filesWords } from "./list.js";
import { Parts } from "./parts.js";
import {
  Bar,
  Failure,
  Figures,
  Loading,
  Notes,
  Section,
  State,
  Swatch,
  Values,
  describe,
  savedWords,
} from "./pieces.js";
import { Rate } from "./rate.js";
import { h } from "./react.js";

const IDS = ["dag_id", "run_id", "task_id", "map_index"];

const transfersIn = ({ transfer, group }) => [transfer, ...(group ?? [])].filter(Boolean);

/** The transfer that the query names, and the other instances of its task if it is mapped. */
export function Transfer({ query }) {
  const asked = Object.fromEntries(IDS.filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
  const { data, error } = usePolled("transfer", asked, transfersIn);
  return h(
    "div",
    null,
    h(PageLink, { query: {}, className: "ot-back" }, "← All transfers"),
    h(Failure, { error }),
    h(Notes, { notes: data?.notes }),
    data ? h(data.transfer ? Shown : WholeGroup, { data }) : !error && h(Loading),
  );
}

function Shown({ data }) {
  const { transfer, group, checkpoint, result } = data;
  const { record } = transfer;
  const isMapped = group?.length > 0;
  return h(
    "article",
    null,
    h(Head, { transfer }),
    h(Now, { transfer }),
    isMapped && h(Group, { group, current: transfer.map_index }),
    !(isMapped && isOneUpload(group)) && h(Parts, { transfers: [transfer] }),
    record?.files && h(Files, { files: record.files }),
    h(Rate, { record }),
    h(Attempts, { transfer }),
    h(Events, { events: record?.events ?? [] }),
    checkpoint && h(Kept, { title: "Checkpoint", values: checkpoint }),
    result && h(Kept, { title: "Result", values: result }),
  );
}

function WholeGroup({ data: { group } }) {
  const { dag_id: dagId, task_id: taskId, run_id: runId } = group[0];
  return h(
    "article",
    null,
    h(
      "header",
      { className: "ot-head" },
      h("h2", null, `${dagId} / ${taskId}`),
      h("p", { className: "ot-links" }, runId),
    ),
    h(Group, { group, current: null }),
  );
}

function Head({ transfer }) {
  const { folder, name } = targetOf(transfer);
  return h(
    "header",
    { className: "ot-head" },
    h("h2", null, folder && h("span", { className: "ot-quiet" }, folder), name),
    h(State, { transfer }),
    h(
      "p",
      { className: "ot-links" },
      h(OutLink, { to: transfer.task_url }, `${transfer.dag_id} / ${taskName(transfer)}`),
      h("span", { className: "ot-quiet" }, transfer.run_id),
      h(OutLink, { to: transfer.console_url, target: "_blank", rel: "noreferrer" }, "OSS console"),
    ),
  );
}

function Now({ transfer }) {
  const { record } = transfer;
  const figures = figuresOf(transfer);
  if (!figures) return null;
  return h(
    "div",
    { className: "ot-now" },
    h("p", { className: "ot-large" }, describe(figures)),
    h(Bar, { transfer, label: "Progress" }),
    h(Figures, { rows: figureRows(transfer, figures) }),
    savedWords(figures) && h("p", { className: "ot-gain" }, savedWords(figures)),
    transfer.stale &&
      h(
        "p",
        { className: "ot-note" },
        `The last report is of ${ago(record?.updated_at)}: the task may have been killed.`,
      ),
  );
}

const figureRows = (transfer, figures) => [
  ["Kind", transfer.record?.kind],
  ["Source", transfer.record?.source],
  ["Rate", figures.rate === null ? null : rate(figures.rate)],
  ["Left", figures.secondsLeft === null ? null : duration(figures.secondsLeft)],
  ["Sent", bytes(figures.sent), "Bytes that this attempt sent"],
  ["Verified", bytes(figures.verified), "Stored earlier, read again and found equal: not sent again"],
  ["Skipped", bytes(figures.skipped), "Whole files or objects that OSS had already"],
  ["Repeated tries", figures.retried || null],
  ["Attempt", transfer.try_number],
  ["Time", figures.seconds === null ? null : duration(figures.seconds)],
  ["Reported", isRunning(transfer) && transfer.record ? ago(transfer.record.updated_at) : null],
];

const FILE_STATES = [
  ["skipped", "skipped", "verified"],
  ["sent", "sent", "stored"],
  ["failed", "failed", "failed"],
];

function Files({ files }) {
  const known = FILE_STATES.map(([name]) => files[name] ?? 0).reduce((sum, count) => sum + count, 0);
  const whole = Math.max(known, files.total ?? 0);
  const share = (count) => ({ width: `${whole ? (100 * count) / whole : 0}%` });
  return h(
    Section,
    { title: "Files", aside: filesWords(files) },
    h(
      "div",
      { className: "ot-bar ot-files", "aria-hidden": true },
      FILE_STATES.map(([name, , look]) =>
        h("div", { key: name, className: `ot-swatch-${look}`, style: share(files[name] ?? 0) }),
      ),
    ),
    h(
      "ul",
      { className: "ot-legend" },
      FILE_STATES.map(([name, words, look]) =>
        h("li", { key: name }, h(Swatch, { look }), `${(files[name] ?? 0).toLocaleString("en")} ${words}`),
      ),
    ),
  );
}

function Events({ events }) {
  if (events.length === 0) return null;
  return h(
    Section,
    { title: "Events", aside: "latest first" },
    h(
      "ol",
      { className: "ot-events", role: "log", "aria-label": "Events" },
      [...events]
        .reverse()
        .map(({ at, text }, index) =>
          h("li", { key: `${at} ${index}` }, h("time", { dateTime: at, title: at }, clockTime(at)), text),
        ),
    ),
  );
}

function Kept({ title, values }) {
  return h("details", { className: "ot-details ot-section" }, h("summary", null, title), h(Values, { of: values }));
}
