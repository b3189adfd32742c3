/* The list: what runs and what ran, newest first. */

import { OutLink, PageLink, queryOf, visit } from "./address.js";
import { usePolled } from "./api.js";
import { figuresOf, isRunning, targetOf, taskName } from "./figures.js";
import { ago, bytes, counted, duration, rate } from "./format.js";
import {
  Bar,
  BarKey,
  Failure,
  Loading,
  Notes,
  State,
  Table,
  describe,
  paceWords,
  retriedWords,
  savedWords,
} from "./pieces.js";
import { h } from "./react.js";

const PAGE_LENGTH = 50;
const STATES = ["running", "success", "failed", "up_for_retry", "queued"];
const COLUMNS = ["Transfer", "Task", "Progress", "Bytes", "State"];

const transfersIn = ({ transfers }) => transfers;

/** Running and recent transfers, filtered as the query says. */
export function List({ query }) {
  const asked = { dag_id: query.get("dag_id") ?? "", state: query.get("state") ?? "" };
  const offset = Math.max(0, Number.parseInt(query.get("offset") ?? "0", 10) || 0);
  const { data, error } = usePolled("transfers", { ...asked, limit: PAGE_LENGTH, offset }, transfersIn);
  return h(
    "div",
    null,
    h(Filters, { asked, dags: data?.dags ?? [] }),
    h(Failure, { error }),
    data ? h(Found, { data, asked, offset }) : !error && h(Loading),
    h(Notes, { notes: data?.notes }),
  );
}

function Filters({ asked, dags }) {
  const known = asked.dag_id && !dags.includes(asked.dag_id) ? [asked.dag_id, ...dags] : dags;
  return h(
    "div",
    { className: "ot-filters", role: "search", "aria-label": "Filter transfers" },
    h(Choice, { label: "DAG", name: "dag_id", every: "All DAGs", options: known, asked }),
    h(Choice, { label: "State", name: "state", every: "All states", options: STATES, asked }),
  );
}

function Choice({ label, name, every, options, asked }) {
  const choose = (event) => visit({ ...asked, [name]: event.target.value });
  return h(
    "label",
    null,
    label,
    h(
      "select",
      { value: asked[name], onChange: choose },
      h("option", { value: "" }, every),
      options.map((option) => h("option", { key: option, value: option }, option)),
    ),
  );
}

function Found({ data, asked, offset }) {
  const { transfers, total } = data;
  if (transfers.length === 0) return asked.dag_id || asked.state || offset ? h(NoneMatches) : h(NoneYet);
  return h(
    "div",
    null,
    h(Summary, { transfers }),
    h(
      Table,
      { caption: "Transfers, running ones first, then newest first", columns: COLUMNS },
      transfers.map((one) => h(Row, { key: Object.values(queryOf(one)).join("\n"), transfer: one })),
    ),
    h(Pages, { asked, offset, shown: transfers.length, total }),
  );
}

function Summary({ transfers }) {
  const running = transfers.filter(isRunning);
  const together = running.reduce((sum, one) => sum + (figuresOf(one)?.rate ?? 0), 0);
  return h(
    "p",
    { className: "ot-summary" },
    h("span", { "aria-live": "polite" }, running.length ? `${running.length} running` : "Nothing runs now"),
    together > 0 && `, together ${rate(together)}`,
    h(BarKey),
  );
}

function Row({ transfer }) {
  const figures = figuresOf(transfer);
  const { folder, name } = targetOf(transfer);
  const label = `Progress of ${name}`;
  return h(
    "tr",
    null,
    h(
      "td",
      { className: "ot-what" },
      h(PageLink, { query: queryOf(transfer), className: "ot-name" }, name),
      folder && h("small", null, folder),
      h("small", null, whatWords(transfer)),
    ),
    h(
      "td",
      null,
      h(OutLink, { to: transfer.task_url }, `${transfer.dag_id} / ${taskName(transfer)}`),
      h("small", null, transfer.run_id),
      h("small", null, attemptWords(transfer)),
    ),
    h(
      "td",
      { className: "ot-progress" },
      h(Bar, { transfer, label }),
      figures
        ? h("span", { className: "ot-strong" }, describe(figures))
        : h("small", null, "no record of its progress"),
      h("small", null, timeWords(transfer, figures)),
    ),
    h("td", null, figures && h(BytesCell, { figures, files: transfer.record?.files })),
    h(
      "td",
      null,
      h(State, { transfer }),
      transfer.stale && h("small", null, `last report ${ago(transfer.record?.updated_at)}`),
      h(
        OutLink,
        { to: transfer.console_url, className: "ot-small", target: "_blank", rel: "noreferrer" },
        "OSS console",
      ),
    ),
  );
}

function BytesCell({ figures, files }) {
  const { sent, verified, skipped } = figures;
  const amounts = [
    `${bytes(sent)} sent`,
    verified && `${bytes(verified)} verified`,
    skipped && `${bytes(skipped)} skipped`,
  ];
  return h(
    "span",
    null,
    amounts.filter(Boolean).join(", "),
    files && h("small", null, filesWords(files)),
    savedWords(figures) && h("small", { className: "ot-gain" }, savedWords(figures)),
    retriedWords(figures) && h("small", { className: "ot-loss" }, retriedWords(figures)),
  );
}

const whatWords = ({ record, operator }) =>
  [record?.kind ?? operator, record?.source && `from ${record.source}`].filter(Boolean).join(" ");

const attemptWords = ({ try_number: number, max_tries: more }) =>
  more > 0 ? `attempt ${number} of ${Math.max(number, more + 1)}` : `attempt ${number}`;

/** "1,203 of 5,000 files, 3 failed". */
export function filesWords({ total, sent, skipped, failed }) {
  const done = (sent ?? 0) + (skipped ?? 0);
  const all =
    total === null || total === undefined
      ? counted(done, "file")
      : `${done.toLocaleString("en")} of ${counted(total, "file")}`;
  return failed > 0 ? `${all}, ${failed} failed` : all;
}

function timeWords(transfer, figures) {
  const pace = figures && paceWords(figures);
  if (pace) return pace;
  const took = figures && figures.seconds !== null && !isRunning(transfer) ? `${duration(figures.seconds)}, ` : "";
  const when = transfer.ended_at ?? transfer.started_at;
  return when && `${took}${transfer.ended_at ? "ended" : "began"} ${ago(when)}`;
}

function Pages({ asked, offset, shown, total }) {
  const more = typeof total === "number" ? offset + shown < total : shown === PAGE_LENGTH;
  if (!more && offset === 0) return null;
  const of = typeof total === "number" ? ` of ${total}` : "";
  return h(
    "nav",
    { className: "ot-pages", "aria-label": "Pages of the list" },
    offset > 0 && h(PageLink, { query: { ...asked, offset: Math.max(0, offset - PAGE_LENGTH) || "" } }, "← Newer"),
    h("span", null, `${offset + 1} to ${offset + shown}${of}`),
    more && h(PageLink, { query: { ...asked, offset: offset + PAGE_LENGTH } }, "Older →"),
  );
}

function NoneMatches() {
  return h(
    "p",
    { className: "ot-empty", role: "status" },
    "No transfer matches these filters. ",
    h(PageLink, { query: {} }, "Show all transfers"),
  );
}

function NoneYet() {
  return h(
    "div",
    { className: "ot-empty", role: "status" },
    h("strong", null, "No transfers yet."),
    h(
      "p",
      null,
      "Every task that moves data to or from OSS with an operator of this provider, such as ",
      h("code", null, "OSSResumableUploadOperator"),
      ", is listed here from its first second on, and stays while Airflow keeps its run.",
    ),
  );
}
