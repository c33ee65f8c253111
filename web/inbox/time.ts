/** Moments in words: how long ago, and exactly when. */

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["minute", 60],
  ["hour", 3_600],
  ["day", 86_400],
  ["week", 604_800],
];
const A_MONTH = 30 * 86_400;

export function ago(timestamp: string, now: number, language: string): string {
  const moment = new Date(timestamp);
  const seconds = Math.max(0, (now - moment.getTime()) / 1000);
  if (seconds >= A_MONTH) return new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(moment);
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const [unit, length] = STEPS.findLast(([, start]) => seconds >= start) ?? ["second", 1];
  return unit === "second" ? format.format(0, "second") : format.format(-Math.floor(seconds / length), unit);
}

export function exactly(timestamp: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "medium" }).format(new Date(timestamp));
}
