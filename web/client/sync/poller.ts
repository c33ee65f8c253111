/** Decides when the inbox asks the server again: by a timer, and when the user or the network comes back. */

import { isVisible } from "../browser.ts";
import type { Store } from "../state/store.ts";

const POLL_SECONDS = 3;
const LIVE_FACTOR = 10; // changes arrive over a socket: poll that much less often
const HIDDEN_FACTOR = 10; // nobody looks at the page: poll that much less often
const RETRY = 1_000; // milliseconds, doubled with each failure
const RETRY_MAX = 30_000;
const TIMER_MAX = 2 ** 31 - 1; // a longer timer would fire at once

export class Poller {
  readonly #interval: number;
  readonly #store: Store;
  readonly #listening = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(seconds: number | undefined, store: Store) {
    this.#interval = (seconds ?? POLL_SECONDS) * 1_000;
    this.#store = store;
    for (const event of ["synced", "failed", "realtime", "deferred"] as const) store.on(event, () => this.#schedule());
    this.#listenToThePage();
  }

  /** Poll no more until the next event. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  close(): void {
    this.stop();
    this.#listening.abort();
  }

  #schedule(): void {
    this.stop();
    if (!this.#store.isActive || !this.#store.canRetry) return;
    const delay = this.#delay() * (0.75 + Math.random() / 2); // no two clients at the same moment
    this.#timer = setTimeout(() => this.#store.emit("pollDue"), Math.min(TIMER_MAX, delay));
  }

  #delay(): number {
    const { failures, mutationFailures, live } = this.#store.values;
    const failed = failures || mutationFailures;
    if (failed) return Math.min(RETRY_MAX, RETRY * 2 ** (failed - 1));
    return this.#interval * (live ? LIVE_FACTOR : 1) * (isVisible() ? 1 : HIDDEN_FACTOR);
  }

  #listenToThePage(): void {
    if (typeof document !== "object") return;
    const { signal } = this.#listening;
    const resumed = (): void => this.#store.emit("resumed");
    const online = (): void => {
      this.#store.update({ networkDown: false });
      resumed();
    };
    document.addEventListener("visibilitychange", () => isVisible() && resumed(), { signal });
    addEventListener("pageshow", (event) => event.persisted && resumed(), { signal });
    addEventListener("online", online, { signal });
    addEventListener("offline", () => this.#store.update({ networkDown: true }), { signal });
  }
}
