/** Notices that the leading tab no longer answers: a suspended tab keeps its lock and its socket. */

import { isVisible } from "../browser.ts";

const INTERVAL = 750; // milliseconds between two questions, so that a lead is taken over within three seconds
const HIDDEN_FACTOR = 10; // nobody looks at this tab: ask that much less often
const UNANSWERED_MAX = 2; // questions, not seconds: a tab that was suspended itself first gets the answers that wait

/**
 * The followers ask and the leader answers. A leader that sent heartbeats by a timer would seem to be gone: browsers slow
 * the timers of hidden tabs down to one a minute, and do not slow messages down.
 */
export class LeaderWatch {
  readonly #ask: () => void;
  readonly #lost: () => void;
  readonly #listening = new AbortController();
  #unanswered = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isRunning = false;

  /** `ask` sends the question; `lost` is called once when it remains unanswered. */
  constructor(ask: () => void, lost: () => void) {
    this.#ask = ask;
    this.#lost = lost;
    if (typeof document !== "object") return;
    const returned = (): void => {
      if (this.#isRunning && isVisible()) this.start();
    };
    document.addEventListener("visibilitychange", returned, { signal: this.#listening.signal });
  }

  start(): void {
    this.#isRunning = true;
    this.#unanswered = 0;
    this.#next();
  }

  /** The leader has sent a message. */
  answered(): void {
    this.#unanswered = 0;
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  close(): void {
    this.stop();
    this.#listening.abort();
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
    const wait = INTERVAL * (isVisible() ? 1 : HIDDEN_FACTOR);
    this.#timer = setTimeout(() => this.#next(), wait * (0.9 + Math.random() / 5)); // no two tabs at the same moment
  }
}
