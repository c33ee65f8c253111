/** Finds out that the leading tab no longer answers: a suspended tab keeps its lock and its socket. */

import { isVisible } from "../browser.ts";

const EVERY = 750; // milliseconds between two questions, so that a lead is taken over within three seconds
const HIDDEN_FACTOR = 10; // nobody looks at this tab: ask that much less often
const UNANSWERED_MAX = 2; // questions, not seconds: a tab that was suspended itself first hears what was answered

/**
 * The followers ask and the leader answers. A leader that sends by a timer would seem to be gone: browsers slow the
 * timers of hidden tabs down to one a minute, and do not slow messages down.
 */
export class LeaderWatch {
  readonly #ask: () => void;
  readonly #lost: () => void;
  readonly #end = new AbortController();
  #unanswered = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watches = false;

  /** `ask` sends the question; `lost` is called once when it remains unanswered. */
  constructor(ask: () => void, lost: () => void) {
    this.#ask = ask;
    this.#lost = lost;
    if (typeof document !== "object") return;
    const returned = (): void => {
      if (this.#watches && isVisible()) this.start();
    };
    document.addEventListener("visibilitychange", returned, { signal: this.#end.signal });
  }

  start(): void {
    this.#watches = true;
    this.#unanswered = 0;
    this.#next();
  }

  /** The leader has said something. */
  answered(): void {
    this.#unanswered = 0;
  }

  stop(): void {
    this.#watches = false;
    clearTimeout(this.#timer);
  }

  end(): void {
    this.stop();
    this.#end.abort();
  }

  #next(): void {
    clearTimeout(this.#timer);
    if (this.#unanswered >= UNANSWERED_MAX) {
      this.stop();
      this.#lost();
      return;
    }
    this.#unanswered += 1;
    this.#ask();
    const wait = EVERY * (isVisible() ? 1 : HIDDEN_FACTOR);
    this.#timer = setTimeout(() => this.#next(), wait * (0.9 + Math.random() / 5)); // no two tabs at the same moment
  }
}
