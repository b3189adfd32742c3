/* What a transfer of the API says, worked out once for all views. Nothing here draws. */

import { isNumber, secondsBetween } from "./format.js";

const STATES = {
  running: ["running", "running"],
  success: ["succeeded", "good"],
  failed: ["failed", "bad"],
  upstream_failed: ["upstream failed", "bad"],
  up_for_retry: ["waiting for its next attempt", "waiting"],
  up_for_reschedule: ["waiting", "waiting"],
  deferred: ["waiting", "waiting"],
  scheduled: ["scheduled", "waiting"],
  queued: ["queued", "waiting"],
  restarting: ["restarting", "waiting"],
};

/** Airflow's state of the task in words, and which look it has: running, good, bad, waiting or plain. */
export function stateOf(transfer) {
  const [words, look] = STATES[transfer.state] ?? [transfer.state ?? "no state", "plain"];
  return { words, look };
}

/** Whether the task of the transfer runs now. */
export const isRunning = (transfer) => transfer.state === "running";

const number = (value) => (isNumber(value) ? value : 0);

/**
 * The figures of a transfer, in bytes, bytes a second and seconds; null is: not known.
 *
 * `saved` is what an earlier attempt or OSS had already, so that it was not sent again; `fraction` is null for a
 * stream whose end is not known.
 */
export function figuresOf(transfer) {
  const record = transfer.record ?? fromResult(transfer);
  if (!record) return null;
  const succeeded = transfer.state === "success";
  const total = succeeded ? (record.total ?? record.done) : record.total;
  const done = succeeded && isNumber(total) ? total : number(record.done);
  const saved = Math.min(done, number(record.verified) + number(record.skipped));
  const moves = isRunning(transfer) && !transfer.stale && number(record.sent) > 0;
  const rate = moves && isNumber(record.rate) ? record.rate : null;
  return {
    done,
    saved,
    rate,
    total: isNumber(total) ? total : null,
    fraction: fractionOf(done, total, succeeded),
    sent: number(record.sent),
    verified: number(record.verified),
    skipped: number(record.skipped),
    retried: number(record.retried),
    secondsLeft: rate > 0 && isNumber(total) ? Math.max(0, total - done) / rate : null,
    seconds: secondsOf(transfer),
  };
}

function fractionOf(done, total, succeeded) {
  if (succeeded) return 1;
  return isNumber(total) && total > 0 ? Math.min(1, done / total) : null;
}

function secondsOf(transfer) {
  if (isNumber(transfer.result_summary?.elapsed_seconds)) return transfer.result_summary.elapsed_seconds;
  return isRunning(transfer) || transfer.ended_at ? secondsBetween(transfer.started_at, transfer.ended_at) : null;
}

/** A record as far as the task's result has it, for a transfer that left none. */
function fromResult({ result_summary: result }) {
  if (!result || !isNumber(result.size)) return null;
  return { total: result.size, done: result.size, sent: result.bytes_sent, verified: result.bytes_verified };
}

/** What is moved, split into the folder and the name that people look for. */
export function targetOf(transfer) {
  const target = transfer.record?.target ?? "";
  const cut = target.replace(/\/$/, "").lastIndexOf("/") + 1;
  return target ? { folder: target.slice(0, cut), name: target.slice(cut) } : { folder: "", name: transfer.task_id };
}

/** The task instance in a few words: "upload [3]". */
export const taskName = ({ task_id, map_index }) => (map_index >= 0 ? `${task_id} [${map_index}]` : task_id);
