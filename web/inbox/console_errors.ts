/** Writes errors to the console, for the developers of the page. Each is written once. */

import type { BelfryError } from "../client/index.ts";

type Level = "error" | "warn";

export class ConsoleErrors {
  readonly #last: Partial<Record<Level, string>> = {};
  readonly #failed = new Set<string>();

  /** The problem of that level is now this one, or none. */
  set(level: Level, problem: BelfryError | null): void {
    const text = problem ? `${problem.message} ${problem.advice}` : "";
    if (text && text !== this.#last[level]) console[level](`<belfry-inbox>: ${text} (${problem?.code})`);
    this.#last[level] = text;
  }

  /** The page's own code, or an item's data, is faulty. Written once, however many items are concerned. */
  fail(what: string, error: unknown): void {
    if (!this.#failed.has(what)) console.error(`<belfry-inbox>: ${what}`, error);
    this.#failed.add(what);
  }
}
