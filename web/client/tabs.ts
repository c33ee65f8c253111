/**
 * The tabs of one browser that show the same inbox: one of them leads (and holds the socket), the others are told.
 * When the leader's tab closes, the next one leads. Where a browser has no Web Locks, every tab leads itself.
 */

import type { Announcement, Changes } from "./types.ts";

/** What tabs tell each other. */
export type Word =
  | { readonly type: "hello" }
  | { readonly type: "live"; readonly live: boolean; readonly version: number | null }
  | { readonly type: "heard"; readonly told: Announcement }
  | { readonly type: "fetched"; readonly since: number; readonly answer: Changes };

/** Of `navigator.locks`, what is used here. */
export interface Locks {
  request(name: string, options: { signal: AbortSignal }, held: () => Promise<void>): Promise<unknown>;
}

export interface Browser {
  readonly locks: Locks | undefined;
  readonly Channel: typeof BroadcastChannel | undefined;
}

export interface TabListener {
  /** This tab leads from now on. */
  lead(): void;
  hear(word: Word): void;
}

export class Tabs {
  /** Whether this tab leads. */
  leads = false;
  #channel: BroadcastChannel | null = null;
  #left = new AbortController();
  #release: () => void = () => {};

  /** `name` says whose inbox it is; null: this tab is alone. */
  constructor(name: string | null, listener: TabListener, browser: Browser = thisBrowser()) {
    const { locks, Channel } = browser;
    if (name === null || !locks || !Channel) {
      this.leads = true;
      queueMicrotask(() => this.#left.signal.aborted || listener.lead());
      return;
    }
    this.#channel = new Channel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<Word>) => listener.hear(data);
    this.#waitToLead(locks, name, listener);
    this.tell({ type: "hello" });
  }

  tell(word: Word): void {
    this.#channel?.postMessage(word);
  }

  /** Lead no longer, and hear nothing any more. */
  leave(): void {
    this.#left.abort();
    this.#release();
    this.#channel?.close();
    this.#channel = null;
    this.leads = false;
  }

  #waitToLead(locks: Locks, name: string, listener: TabListener): void {
    const held = (): Promise<void> => {
      if (this.#left.signal.aborted) return Promise.resolve();
      this.leads = true;
      listener.lead();
      return new Promise((resolve) => {
        this.#release = resolve;
      });
    };
    locks.request(name, { signal: this.#left.signal }, held).catch((error: unknown) => {
      if (!this.#left.signal.aborted) throw error;
    });
  }
}

function thisBrowser(): Browser {
  const locks = typeof navigator === "object" ? (navigator.locks as Locks | undefined) : undefined;
  return { locks, Channel: globalThis.BroadcastChannel };
}
