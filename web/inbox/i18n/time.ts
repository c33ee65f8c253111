/** Moments in words: how long ago, and exactly when. Empty for what is no moment. */

import { attempt } from "../../client/browser.ts";

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["minute", 60],
  ["hour", 3_600],
  ["day", 86_400],
  ["week", 604_800],
];
const A_MONTH = 30 * 86_400;

export function ago(timestamp: string, now: number, language: string): string {
  const moment = momentOf(timestamp);
  const seconds = Math.max(0, (now - moment.getTime()) / 1000);
  if (!(seconds < A_MONTH)) return dated(moment, language, { dateStyle: "medium" });
  const [unit, length] = STEPS.findLast(([, start]) => seconds >= start) ?? ["second", 1];
  const count = unit === "second" ? 0 : -Math.floor(seconds / length);
  const format = attempt(() => new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" }));
  return format?.format(count, unit) ?? moment.toISOString();
}

export function exactly(timestamp: string, language: string): string {
  return dated(momentOf(timestamp), language, { dateStyle: "full", timeStyle: "medium" });
}

function dated(moment: Date, language: string, style: Intl.DateTimeFormatOptions): string {
  if (Number.isNaN(moment.getTime())) return "";
  return attempt(() => new Intl.DateTimeFormat(language, style).format(moment)) ?? moment.toISOString();
}

/** An invalid date for what is no text: `null` would be 1970. */
function momentOf(timestamp: unknown): Date {
  return new Date(typeof timestamp === "string" ? timestamp : Number.NaN);
}
