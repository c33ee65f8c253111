/** One user's inbox: its state, its events, and what the user can do with it. */

import { callEach } from "./browser.ts";
import type { Options } from "./options.ts";
import type { Intent } from "./state/pending.ts";
import type { List, State } from "./state/state.ts";
import { Store } from "./state/store.ts";
import { Connection } from "./sync/connection.ts";
import { MutationQueue } from "./sync/mutation_queue.ts";
import type { Mark, Patch } from "./transport/api.ts";
import type { Item, StateName, View } from "./types.ts";

export class Inbox {
  readonly #store: Store;
  readonly #mutations: MutationQueue;
  readonly #connection: Connection;
  readonly #listeners = new Set<(state: State) => void>();
  readonly #arrivalListeners = new Set<(items: readonly Item[]) => void>();
  #lastRequest: Promise<unknown> = Promise.resolve();
  #isNotifying = false;

  /** Throws a `BelfryError` for options that cannot work. */
  constructor(options: Options) {
    this.#store = new Store(Boolean(options.getToken));
    this.#store.on("changed", () => this.#notify());
    this.#store.on("arrived", (items) => callEach(this.#arrivalListeners, items));
    this.#mutations = new MutationQueue(this.#store);
    this.#connection = new Connection(options, this.#store);
    void this.#connection.start();
  }

  /** The user's id, from the token; null until there is a token. */
  get sub(): string | null {
    return this.#store.values.sub;
  }

  get state(): State {
    return this.#store.state;
  }

  /** Calls `listener` with the state now, and with each new state. Returns a function that ends the subscription. */
  subscribe(listener: (state: State) => void): () => void {
    this.#listeners.add(listener);
    listener(this.state);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls `listener` with items that arrive from now on, oldest first. Returns a function that ends that. */
  onArrival(listener: (items: readonly Item[]) => void): () => void {
    this.#arrivalListeners.add(listener);
    return () => void this.#arrivalListeners.delete(listener);
  }

  list(view: View): List {
    const { replica, pending } = this.#store;
    return {
      items: replica.list(view, pending.apply),
      hasMore: replica.hasMore(view),
      loading: this.#connection.synchronizer.isLoading(view),
      begun: replica.version !== null && replica.isBegun(view),
    };
  }

  /** Load the next page of a view, the first page at first. Rejects with a `BelfryError`. */
  loadMore(view: View = "all"): Promise<void> {
    return this.#connection.synchronizer.loadMore(view);
  }

  // A mark is shown at once. Its promise resolves when the server has made it. While the server cannot be reached, the
  // mark waits. If the server refuses it, it is undone, and the promise rejects with a `BelfryError`.

  markRead(...seqs: number[]): Promise<void> {
    return this.#mark("read", "read", seqs);
  }

  markSeen(...seqs: number[]): Promise<void> {
    return this.#mark("seen", "seen", seqs);
  }

  archive(...seqs: number[]): Promise<void> {
    return this.#mark("archived", "archive", seqs);
  }

  markUnread(seq: number): Promise<void> {
    return this.#patch("unread", seq, { read: false });
  }

  unarchive(seq: number): Promise<void> {
    return this.#patch("unarchived", seq, { archived: false });
  }

  /** This cannot be undone. */
  delete(seq: number): Promise<void> {
    const intent: Intent = { change: "deleted", seqs: [seq], through: null };
    return this.#mutations.add(intent, () => this.#connection.api.remove(seq).then(() => 0));
  }

  /** “All” means all items that this device knows of. */
  markAllRead(): Promise<void> {
    return this.#markAll("read", "read");
  }

  markAllSeen(): Promise<void> {
    return this.state.unseen === 0 ? Promise.resolve() : this.#markAll("seen", "seen");
  }

  archiveAll(): Promise<void> {
    return this.#markAll("archived", "archive");
  }

  /** Any call of the API as this user, such as `request("POST", "/v1/follows", {target: "bob"})`. Calls keep their order. */
  request(method: string, path: string, body?: unknown): Promise<unknown> {
    const done = this.#lastRequest.then(() => this.#connection.api.call(method, path, body));
    this.#lastRequest = done.catch(() => {});
    return done;
  }

  /** Use this token from now on. Throws a `BelfryError` for a malformed token and for another user's. */
  setToken(token: string): void {
    this.#connection.setToken(token);
  }

  /** Catch up with the server now. */
  refresh(): void {
    this.#connection.refresh();
  }

  /** Go offline until `resume()`. The items stay, and another tab takes the lead. */
  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  /** Close the inbox for good. */
  close(): void {
    this.#connection.close();
    this.#mutations.close();
    this.#listeners.clear();
    this.#arrivalListeners.clear();
  }

  #mark(change: StateName, mark: Mark, seqs: number[]): Promise<void> {
    return this.#mutations.add({ change, seqs, through: null }, () => this.#connection.api.mark(mark, { seqs }));
  }

  #markAll(change: StateName, mark: Mark): Promise<void> {
    const through = this.#store.replica.version ?? 0;
    if (through === 0) return Promise.resolve();
    return this.#mutations.add({ change, seqs: null, through }, () => this.#connection.api.mark(mark, { through }));
  }

  #patch(change: StateName, seq: number, state: Patch): Promise<void> {
    const intent: Intent = { change, seqs: [seq], through: null };
    return this.#mutations.add(intent, () => this.#connection.api.patch(seq, state));
  }

  /** Listeners are called once, however many changes happen in one task. */
  #notify(): void {
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    queueMicrotask(() => {
      this.#isNotifying = false;
      callEach(this.#listeners, this.state);
    });
  }
}
