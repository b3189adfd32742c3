/* Numbers and times as people read them. Sizes are in binary units, as everywhere in this package. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Whether a value is a number that can be shown. */
export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** 142606336 -> "136 MiB": three digits that count, in the unit that keeps them above 1. */
export function bytes(count) {
  if (!isNumber(count)) return "–";
  let value = Math.max(0, count);
  let unit = 0;
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const decimals = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(decimals)} ${UNITS[unit]}`;
}

/** Bytes a second -> "12.0 MiB/s". */
export const rate = (perSecond) => (isNumber(perSecond) ? `${bytes(perSecond)}/s` : "–");

/** 0.416 -> "41 %": rounded down, so that 100 % means all of it. */
export const percent = (fraction) => `${Math.floor(Math.min(1, Math.max(0, fraction)) * 100)} %`;

/** 3725 seconds -> "1 h 2 min". */
export function duration(seconds) {
  if (!isNumber(seconds)) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return pair(whole, MINUTE, "min", 1, "s");
  if (whole < DAY) return pair(whole, HOUR, "h", MINUTE, "min");
  return pair(whole, DAY, "d", HOUR, "h");
}

function pair(seconds, large, largeName, small, smallName) {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

/** 1 -> "1 part", 2 -> "2 parts". */
export const counted = (count, noun, plural = `${noun}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? noun : plural}`;

/** Milliseconds since 1970 of an ISO time; null when it is none. */
export function instant(text) {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? null : time;
}

/** The seconds from one ISO time to another, or to now; null when one is missing. */
export function secondsBetween(begin, end) {
  const from = instant(begin);
  const to = end ? instant(end) : Date.now();
  return from === null || to === null ? null : Math.max(0, (to - from) / 1000);
}

/** An ISO time -> "3 min ago". */
export function ago(text) {
  const seconds = secondsBetween(text);
  return seconds === null ? "–" : seconds < 5 ? "just now" : `${duration(seconds)} ago`;
}

/** An ISO time -> "18:03:12" in the reader's time zone. */
export function clockTime(text) {
  const time = instant(text);
  return time === null ? "–" : new Date(time).toLocaleTimeString("en-GB");
}
