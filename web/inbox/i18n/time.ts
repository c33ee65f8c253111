/** Formats timestamps. A malformed timestamp gives an empty text. */

import { attempt } from "../../client/browser.ts";

const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["minute", 60],
  ["hour", 3_600],
  ["day", 86_400],
  ["week", 604_800],
];
const A_MONTH = 30 * 86_400;

/** How long ago it was; the date after a month. */
export function relativeTime(timestamp: string, now: number, language: string): string {
  const time = parse(timestamp);
  const seconds = Math.max(0, (now - time.getTime()) / 1000);
  if (!(seconds < A_MONTH)) return format(time, language, { dateStyle: "medium" });
  const [unit, length] = UNITS.findLast(([, start]) => seconds >= start) ?? ["second", 1];
  const count = unit === "second" ? 0 : -Math.floor(seconds / length);
  const relative = attempt(() => new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" }));
  return relative?.format(count, unit) ?? time.toISOString();
}

export function fullTime(timestamp: string, language: string): string {
  return format(parse(timestamp), language, { dateStyle: "full", timeStyle: "medium" });
}

function format(time: Date, language: string, style: Intl.DateTimeFormatOptions): string {
  if (Number.isNaN(time.getTime())) return "";
  return attempt(() => new Intl.DateTimeFormat(language, style).format(time)) ?? time.toISOString();
}

/** An invalid date if the timestamp is not a string: `new Date(null)` would be 1970. */
function parse(timestamp: unknown): Date {
  return new Date(typeof timestamp === "string" ? timestamp : Number.NaN);
}
