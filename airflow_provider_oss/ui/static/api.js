/* Asks the plugin's routes, again and again while the page is looked at. */

import { stateOf } from "./figures.js";
import { useEffect, useState } from "./react.js";

const RUNNING_MILLISECONDS = 2000;
const WAITING_MILLISECONDS = 5000;
const IDLE_MILLISECONDS = 15000;
const FAILED_MILLISECONDS = 5000;

/**
 * What a route answers: {data, error}. It is asked again and again: every 2 s while one of `transfersIn(data)` runs,
 * every 5 s while one waits, else every 15 s; not while the page is hidden. After a failed request the last answer
 * stays, beside the error's text.
 */
export function usePolled(route, query, transfersIn) {
  const address = new URL(`oss-transfers/api/${route}?${new URLSearchParams(query)}`, document.baseURI).href;
  const [answer, setAnswer] = useState({ address, data: null, error: null });
  useEffect(() => poll(address, transfersIn, setAnswer), [address]);
  return answer.address === address ? answer : { address, data: null, error: null };
}

function poll(address, transfersIn, setAnswer) {
  const stop = new AbortController();
  let timer = null;
  let isIdle = true;
  const ask = async () => {
    isIdle = document.hidden;
    if (isIdle) return;
    const answer = await attempt(address, stop.signal);
    if (stop.signal.aborted) return;
    setAnswer((last) => ({
      address,
      data: answer.data ?? (last.address === address ? last.data : null),
      ...answer.said,
    }));
    timer = setTimeout(ask, answer.data ? pause(transfersIn(answer.data)) : FAILED_MILLISECONDS);
  };
  const shown = () => {
    if (!document.hidden && isIdle) ask();
  };
  document.addEventListener("visibilitychange", shown, { signal: stop.signal });
  ask();
  return () => {
    stop.abort();
    clearTimeout(timer);
  };
}

function pause(transfers) {
  const looks = new Set(transfers.map((one) => stateOf(one).look));
  return looks.has("running") ? RUNNING_MILLISECONDS : looks.has("waiting") ? WAITING_MILLISECONDS : IDLE_MILLISECONDS;
}

async function attempt(address, signal) {
  try {
    const response = await fetch(address, { signal, headers: { Accept: "application/json" } });
    if (!response.ok) return { data: null, said: { error: await refusal(response) } };
    return { data: await response.json(), said: { error: null } };
  } catch (error) {
    return { data: null, said: { error: `Airflow's API server did not answer (${error.message}). Asking again.` } };
  }
}

async function refusal(response) {
  if (response.status === 401) return "You are logged out. Reload the page to log in.";
  if (response.status === 403) return "You may not see this: it needs the permission to read the DAG and its tasks.";
  const text = await response.text();
  if (response.status === 404) return detail(text) ?? "There is no such transfer.";
  return `The server answered ${response.status}: ${(detail(text) ?? text).slice(0, 200)}. Asking again.`;
}

function detail(text) {
  try {
    const found = JSON.parse(text).detail;
    return typeof found === "string" ? found : null;
  } catch {
    return null;
  }
}
