/* Which part of an upload is where, from the ranges of its record. Nothing here draws. */

export const MISSING = 0;
export const IN_FLIGHT = 1;
export const STORED = 2;
export const VERIFIED = 3;

/** What each state is called in the legend, and the class of its colour; in the order of the numbers above. */
export const STATES = [
  { name: "missing", look: "missing" },
  { name: "being sent", look: "in-flight" },
  { name: "stored", look: "stored" },
  { name: "stored earlier and verified", look: "verified" },
];

const MOST_PARTS = 10000;

/** "1-3,7" -> [[1, 3], [7, 7]]. What is no range is left out. */
export function rangesOf(text) {
  return (text ?? "")
    .split(",")
    .map((token) => /^\s*(\d+)(?:-(\d+))?\s*$/.exec(token))
    .filter(Boolean)
    .map(([, first, last]) => [Number(first), Number(last ?? first)])
    .filter(([first, last]) => first >= 1 && last >= first);
}

/** [1, 2, 3, 7] as flags -> "1-3, 7". */
export function rangesText(states, wanted) {
  const found = [];
  for (let begin = 0; begin < states.length; begin += 1) {
    if (states[begin] !== wanted) continue;
    let end = begin;
    while (states[end + 1] === wanted) end += 1;
    found.push(begin === end ? `${begin + 1}` : `${begin + 1}-${end + 1}`);
    begin = end;
  }
  return found.join(", ");
}

/**
 * The state of each part, part 1 first, of one record or of the ranges of a mapped task.
 *
 * `running` says which of the records is of a task that runs: what is in flight of another arrived or is lost.
 */
export function statesOf(pieces) {
  const states = new Uint8Array(lastOf(pieces));
  for (const { parts, running } of pieces) {
    if (running) fill(states, parts.in_flight, IN_FLIGHT);
    fill(states, parts.stored, STORED);
    fill(states, parts.verified, VERIFIED);
  }
  return states;
}

function lastOf(pieces) {
  const ends = pieces.map(({ parts, running }) => {
    const seen = [parts.stored, parts.verified, running ? parts.in_flight : ""]
      .flatMap(rangesOf)
      .map(([, last]) => last);
    const own = parts.count ? (parts.first ?? 1) + parts.count - 1 : 0;
    return Math.max(own, 0, ...seen);
  });
  return Math.min(MOST_PARTS, Math.max(0, ...ends));
}

function fill(states, text, state) {
  for (const [first, last] of rangesOf(text)) states.fill(state, first - 1, Math.min(last, states.length));
}

/** How many parts are in each state, in the order of the states. */
export function countsOf(states) {
  const counts = [0, 0, 0, 0];
  for (const state of states) counts[state] += 1;
  return counts;
}
