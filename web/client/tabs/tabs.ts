/**
 * The tabs of one browser that show the same inbox: one of them leads (and holds the socket), the others are told.
 * A Web Lock decides which one. When the leader's tab closes, the next one leads; when it is suspended, it keeps its
 * lock, and a tab that gets no answer takes the lock from it. Where the browser has no locks or channels, or refuses
 * them, every tab leads alone.
 */

import { attempt, type Browser, type Locks, thisBrowser } from "../browser.ts";
import type { Announcement, Changes } from "../types.ts";
import { LeaderWatch } from "./leader_watch.ts";

/** What tabs tell each other. */
export type Word =
  /** Asks who leads; with `check`, the leader asks the push server whether the socket is alive. */
  | { readonly type: "hello"; readonly check?: boolean }
  /** The leader's answer; `live` is null while it does not know. */
  | { readonly type: "live"; readonly live: boolean | null; readonly version: number | null }
  | { readonly type: "heard"; readonly told: Announcement }
  | { readonly type: "fetched"; readonly since: number; readonly answer: Changes };

export interface TabListener {
  /** This tab leads from now on. */
  lead(): void;
  /** Another tab has taken the lead from this one. */
  follow(): void;
  hear(word: Word): void;
}

export class Tabs {
  /** Whether this tab leads. */
  leads = false;
  readonly #listener: TabListener;
  readonly #watch = new LeaderWatch(
    () => this.tell({ type: "hello" }),
    () => this.#takeOver(),
  );
  #channel: BroadcastChannel | null = null;
  #requestLock: (options: Parameters<Locks["request"]>[1]) => void = () => {};
  #waiting = new AbortController();
  #release: () => void = () => {};
  #left = false;

  /** `name` says whose inbox it is; null: this tab is alone. */
  constructor(name: string | null, listener: TabListener, browser: Browser = thisBrowser()) {
    this.#listener = listener;
    const { locks, Channel } = browser;
    const channel = name !== null && locks && Channel ? attempt(() => new Channel(name)) : undefined;
    if (name === null || !locks || !channel) {
      queueMicrotask(() => this.#lead());
      return;
    }
    this.#channel = channel;
    channel.onmessage = ({ data }: MessageEvent<Word>) => this.#hear(data);
    this.#requestLock = (options) => this.#request(locks, name, options);
    this.#wait();
  }

  tell(word: Word): void {
    attempt(() => this.#channel?.postMessage(word));
  }

  /** Lead no longer, and hear nothing any more. */
  leave(): void {
    this.#left = true;
    this.#watch.end();
    this.#waiting.abort();
    this.#release();
    this.#closeChannel();
    this.leads = false;
  }

  #hear(word: Word): void {
    if (word.type === "live" || word.type === "heard") this.#watch.answered(); // what leaders say
    this.#listener.hear(word);
  }

  #wait(): void {
    this.#waiting = new AbortController();
    this.#requestLock({ signal: this.#waiting.signal });
    this.#watch.start();
  }

  /** Lead at once; the lock follows, where the browser still grants it. */
  #takeOver(): void {
    this.#waiting.abort();
    this.#lead();
    this.#requestLock({ steal: true });
  }

  #request(locks: Locks, name: string, options: Parameters<Locks["request"]>[1]): void {
    let granted = false;
    const held = (): Promise<void> => {
      if (this.#left) return Promise.resolve();
      granted = true;
      this.#lead();
      return new Promise((resolve) => {
        this.#release = resolve;
      });
    };
    const ended = (): void => {
      if (this.#left || ("signal" in options && options.signal.aborted)) return;
      if (granted) this.#follow();
      else this.#leadAlone();
    };
    Promise.resolve(attempt(() => locks.request(name, options, held)) ?? Promise.reject()).catch(ended);
  }

  #lead(): void {
    if (this.#left || this.leads) return;
    this.leads = true;
    this.#watch.stop();
    this.#listener.lead();
  }

  /** Another tab took the lock while this one was suspended. */
  #follow(): void {
    this.leads = false;
    this.#listener.follow();
    this.#wait();
  }

  /** The browser refuses its locks. */
  #leadAlone(): void {
    this.#closeChannel();
    this.#lead();
  }

  #closeChannel(): void {
    this.#channel?.close();
    this.#channel = null;
  }
}
