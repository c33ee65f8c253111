/** When to look at the inbox again. */

import { isVisible } from "../browser.ts";

const POLL_SECONDS = 3;
const TOLD_FACTOR = 10; // a socket tells what happens: look that much less often
const HIDDEN_FACTOR = 10; // nobody looks at the page: so much less often
const RETRY = 1_000; // milliseconds, doubled with each failure
const RETRY_MAX = 30_000;
const TIMER_MAX = 2 ** 31 - 1; // a longer timer would fire at once

export interface Occasions {
  /** It is time. */
  look(): void;
  /** Somebody is back at the page. */
  hurry(): void;
  /** The network is back, as far as the browser knows. */
  back(): void;
  /** The network has gone. */
  gone(): void;
}

export class Pulse {
  readonly #milliseconds: number;
  readonly #occasions: Occasions;
  readonly #end = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(seconds: number | undefined, occasions: Occasions) {
    this.#milliseconds = (seconds ?? POLL_SECONDS) * 1_000;
    this.#occasions = occasions;
    this.#listenToThePage();
  }

  /** Look in a while: soon, seldom while a socket tells what happens, later and later while it fails. */
  next(failures: number, told: boolean): void {
    this.rest();
    const seldom = (told ? TOLD_FACTOR : 1) * (isVisible() ? 1 : HIDDEN_FACTOR);
    const wait = failures ? Math.min(RETRY_MAX, RETRY * 2 ** (failures - 1)) : this.#milliseconds * seldom;
    const spread = wait * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#occasions.look(), Math.min(TIMER_MAX, spread));
  }

  /** Look no more, until `next`. */
  rest(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    this.rest();
    this.#end.abort();
  }

  #listenToThePage(): void {
    if (typeof document !== "object") return;
    const { signal } = this.#end;
    const { hurry, back, gone } = this.#occasions;
    document.addEventListener("visibilitychange", () => isVisible() && hurry(), { signal });
    addEventListener("pageshow", (event) => event.persisted && hurry(), { signal });
    addEventListener("online", () => back(), { signal });
    addEventListener("offline", () => gone(), { signal });
  }
}
