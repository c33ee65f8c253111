/** When to look at the inbox again. */

const POLL_SECONDS = 3;
const TOLD_FACTOR = 10; // a socket tells what happens: look that much less often
const HIDDEN_FACTOR = 10; // nobody looks at the page: so much less often
const RETRY = 1_000; // milliseconds, doubled with each failure
const RETRY_MAX = 30_000;

export interface Occasions {
  /** It is time. */
  look(): void;
  /** Somebody is back at the page, or the network is back. */
  hurry(): void;
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
    const seldom = (told ? TOLD_FACTOR : 1) * (isWatched() ? 1 : HIDDEN_FACTOR);
    const wait = failures ? Math.min(RETRY_MAX, RETRY * 2 ** (failures - 1)) : this.#milliseconds * seldom;
    this.#timer = setTimeout(() => this.#occasions.look(), wait * (0.75 + Math.random() / 2));
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
    const { hurry, gone } = this.#occasions;
    document.addEventListener("visibilitychange", () => isWatched() && hurry(), { signal });
    addEventListener("online", () => hurry(), { signal });
    addEventListener("offline", () => gone(), { signal });
  }
}

function isWatched(): boolean {
  return typeof document !== "object" || document.visibilityState === "visible";
}

/** Whether the machine has a network at all, as far as the browser knows. */
export function hasNetwork(): boolean {
  return typeof navigator !== "object" || navigator.onLine !== false;
}
