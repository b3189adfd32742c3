/* Unfinished uploads that nobody continues, as the maintenance DAGs found them last. */

import { OutLink } from "./address.js";
import { usePolled } from "./api.js";
import { ago, bytes, counted } from "./format.js";
import { Failure, Figures, Loading, Notes, Table } from "./pieces.js";
import { h } from "./react.js";

const COLUMNS = ["Key", "Bytes", "Begun", "Begun by", "Fate", "Upload id"];
const REASONS = {
  recent: "kept: parts came lately",
  checkpoint: "kept: a live checkpoint names it",
  unknown: "kept: not known when parts came",
};

const none = () => [];

/** What each task of OSSAbortStaleUploadsOperator found last. Nothing can be aborted from here. */
export function Forgotten() {
  const { data, error } = usePolled("forgotten", {}, none);
  return h(
    "div",
    null,
    h(
      "p",
      { className: "ot-quiet" },
      "What lies unfinished in a bucket is billed until it is aborted. The tasks of ",
      h("code", null, "OSSAbortStaleUploadsOperator"),
      " look for it and abort it, unless ",
      h("code", null, "dry_run"),
      " is set.",
    ),
    h(Failure, { error }),
    data ? h(Findings, { data }) : !error && h(Loading),
  );
}

function Findings({ data: { findings, notes } }) {
  return h(
    "div",
    null,
    findings.length === 0 &&
      h("p", { className: "ot-empty", role: "status" }, "Nothing is known of forgotten uploads."),
    findings.map((one) => h(Finding, { key: keyOf(one), finding: one })),
    h(Notes, { notes }),
  );
}

const keyOf = ({ dag_id, run_id, task_id, map_index }) => [dag_id, run_id, task_id, map_index].join("\n");

function Finding({ finding }) {
  const { result, when, dag_id: dagId, task_id: taskId, task_url: taskUrl } = finding;
  const place = `oss://${result.bucket}/${result.prefix ?? ""}`;
  const task = h(OutLink, { to: taskUrl }, `${dagId} / ${taskId}`);
  return h(
    "section",
    { className: "ot-section", "aria-label": place },
    h("h3", null, place, h("small", null, task, ` looked ${ago(when)}`)),
    h("p", { className: "ot-strong" }, foundWords(result)),
    h(Figures, { rows: keptRows(result) }),
    h(Uploads, { result }),
  );
}

function foundWords({ uploads, aborted = 0, bytes: size, dry_run: isDryRun }) {
  const found = `${counted(uploads, "unfinished upload")}, ${aborted.toLocaleString("en")} of them forgotten`;
  return `${found} with ${bytes(size)}: ${isDryRun ? "left as they are (dry run)" : "aborted"}`;
}

const keptRows = ({ kept = {}, kept_bytes: size, unseen_stores: unseen = [] }) => [
  ["Recent", kept.recent?.toLocaleString("en"), "Begun too lately to be looked at, or with parts that came lately"],
  ["Named by a live checkpoint", kept.checkpoint?.toLocaleString("en")],
  ["Not known when parts came", kept.unknown?.toLocaleString("en")],
  ["Bytes of those kept", size ? bytes(size) : null],
  ["Checkpoints not seen", unseen.join(", "), "Uploads named in these stores are protected by their age alone"],
];

/** The first of the uploads that were found, the forgotten ones first. */
function Uploads({ result: { first = [], kept_first: kept = [], dry_run: isDryRun } }) {
  const fate = (one) => (one.reason ? (REASONS[one.reason] ?? one.reason) : isDryRun ? "forgotten" : "aborted");
  const row = (one) => [one.key, bytes(one.bytes), ago(one.initiated), one.owner ?? "–", fate(one), one.upload_id];
  const uploads = [...first, ...kept];
  if (uploads.length === 0) return null;
  return h(
    Table,
    { caption: "The first of the unfinished uploads", columns: COLUMNS },
    uploads.map((one) => h("tr", { key: one.upload_id }, ...row(one).map((value) => h("td", null, value)))),
  );
}
