/**
 * The tabs of one browser that show the same inbox. One tab leads and holds the socket; the others get its messages.
 * A Web Lock elects the leader. When the leader's tab closes, the next one gets the lock. A suspended leader keeps its
 * lock; a tab that gets no answer from it steals the lock. In a browser without locks or channels, or one that refuses
 * them, every tab leads alone.
 */

import { attempt, type Browser, type Locks, thisBrowser } from "../browser.ts";
import { Emitter } from "../emitter.ts";
import type { Announcement, Changes } from "../types.ts";
import { LeaderWatch } from "./leader_watch.ts";

/** A message between tabs. Tabs may run different builds of this script: do not rename types or fields. */
export type TabMessage =
  /** Asks for the leader's status. `check`: the leader also checks its socket. */
  | { readonly type: "hello"; readonly check?: boolean }
  /** The leader's status; `live` is null while that is unknown. */
  | { readonly type: "live"; readonly live: boolean | null; readonly version: number | null }
  /** The leader's socket announced a change. */
  | { readonly type: "heard"; readonly told: Announcement }
  /** A tab has fetched changes. */
  | { readonly type: "fetched"; readonly since: number; readonly answer: Changes };

export interface TabEvents {
  /** This tab leads from now on. */
  lead: void;
  /** Another tab has taken the lead from this one. */
  follow: void;
  message: TabMessage;
}

type LockOptions = Parameters<Locks["request"]>[1];

export class Tabs extends Emitter<TabEvents> {
  /** Whether this tab leads. */
  leads = false;
  readonly #watch = new LeaderWatch(
    () => this.send({ type: "hello" }),
    () => this.#steal(),
  );
  #channel: BroadcastChannel | null = null;
  #requestLock: (options: LockOptions) => void = () => {};
  #waiting = new AbortController();
  #release: () => void = () => {};
  #left = false;

  /** `name` identifies the inbox. Null: this tab is alone. */
  constructor(name: string | null, browser: Browser = thisBrowser()) {
    super();
    const { locks, Channel } = browser;
    const channel = name !== null && locks && Channel ? attempt(() => new Channel(name)) : undefined;
    if (name === null || !locks || !channel) {
      queueMicrotask(() => this.#lead());
      return;
    }
    this.#channel = channel;
    channel.onmessage = ({ data }: MessageEvent<TabMessage>) => this.#receive(data);
    this.#requestLock = (options) => this.#request(locks, name, options);
    this.#wait();
  }

  send(message: TabMessage): void {
    attempt(() => this.#channel?.postMessage(message));
  }

  /** Give up the lead, and receive nothing any more. */
  leave(): void {
    this.#left = true;
    this.#watch.close();
    this.#waiting.abort();
    this.#release();
    this.#closeChannel();
    this.leads = false;
  }

  #receive(message: TabMessage): void {
    if (message.type === "live" || message.type === "heard") this.#watch.answered(); // only leaders send these
    this.emit("message", message);
  }

  #wait(): void {
    this.#waiting = new AbortController();
    this.#requestLock({ signal: this.#waiting.signal });
    this.#watch.start();
  }

  /** Lead at once; the lock follows, if the browser grants it. */
  #steal(): void {
    this.#waiting.abort();
    this.#lead();
    this.#requestLock({ steal: true });
  }

  #request(locks: Locks, name: string, options: LockOptions): void {
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
    this.emit("lead");
  }

  /** Another tab stole the lock while this one was suspended. */
  #follow(): void {
    this.leads = false;
    this.emit("follow");
    this.#wait();
  }

  /** The browser refuses locks. */
  #leadAlone(): void {
    this.#closeChannel();
    this.#lead();
  }

  #closeChannel(): void {
    this.#channel?.close();
    this.#channel = null;
  }
}
