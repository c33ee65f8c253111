/** Whoever puts the element into a page looks at the console: what is wrong is said there once, with what to do. */

import type { BelfryError } from "../client/index.ts";

type Level = "error" | "warn";

export class Complaints {
  readonly #said: Partial<Record<Level, string>> = {};
  readonly #failed = new Set<string>();

  say(level: Level, problem: BelfryError | null): void {
    const says = problem ? `${problem.message} ${problem.advice}` : "";
    if (says && says !== this.#said[level]) console[level](`<belfry-inbox>: ${says} (${problem?.code})`);
    this.#said[level] = says;
  }

  /** Something of the page's own, or an item's data, cannot be used: said once, however many items it concerns. */
  fail(what: string, error: unknown): void {
    if (!this.#failed.has(what)) console.error(`<belfry-inbox>: ${what}`, error);
    this.#failed.add(what);
  }
}
