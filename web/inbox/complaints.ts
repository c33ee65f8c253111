/** Whoever puts the element into a page looks at the console: what is wrong is said there once, with what to do. */

import type { BelfryError } from "../client/index.ts";

type Level = "error" | "warn";

export class Complaints {
  readonly #said: Partial<Record<Level, string>> = {};

  say(level: Level, problem: BelfryError | null): void {
    const says = problem ? `${problem.message} ${problem.advice}` : "";
    if (says && says !== this.#said[level]) console[level](`<belfry-inbox>: ${says} (${problem?.code})`);
    this.#said[level] = says;
  }
}
