/** One person's inbox on this page: the socket hints, the API tells, the rule decides; whoever listens is told. */

import { Acts } from "./sync/mutation_queue.ts";
import type { Mark, Patch } from "./transport/api.ts";
import { tellEach } from "./browser.ts";
import { Connection } from "./sync/connection.ts";
import { Pending } from "./state/pending.ts";
import { Replica } from "./state/replica.ts";
import type { List, Options, State } from "./state/state.ts";
import type { Item, StateName, View } from "./types.ts";

export class Inbox {
  readonly #replica = new Replica();
  readonly #pending = new Pending();
  readonly #connection: Connection;
  readonly #acts: Acts;
  readonly #listeners = new Set<(state: State) => void>();
  readonly #arrivals = new Set<(items: readonly Item[]) => void>();
  #lastRequest: Promise<unknown> = Promise.resolve();
  #state: State | null = null;
  #telling = false;

  /** Throws a `BelfryError` for options that cannot work. */
  constructor(options: Options) {
    const changed = (): void => this.#changed();
    this.#connection = new Connection(options, this.#replica, this.#pending, {
      arrived: (items) => tellEach(this.#arrivals, items),
      answered: () => void this.#acts.tell(),
      failures: () => this.#acts.failures,
      changed,
    });
    this.#acts = new Acts(this.#replica, this.#pending, {
      isReady: () => this.#connection.isReady,
      outdated: () => void this.#connection.follower.catchUp(),
      delayed: () => this.#connection.schedule(),
      changed,
    });
    void this.#connection.begin();
  }

  /** Whose inbox this is, as the token says; null until there is one. */
  get sub(): string | null {
    return this.#connection.sub;
  }

  get state(): State {
    this.#state ??= this.#look();
    return this.#state;
  }

  /** `listener` is called with the state now, and whenever it changes. Returns how to stop that. */
  subscribe(listener: (state: State) => void): () => void {
    this.#listeners.add(listener);
    listener(this.state);
    return () => void this.#listeners.delete(listener);
  }

  /** `listener` is called with what arrives from now on, oldest first; not with what was there. */
  onArrival(listener: (items: readonly Item[]) => void): () => void {
    this.#arrivals.add(listener);
    return () => void this.#arrivals.delete(listener);
  }

  list(view: View): List {
    return {
      items: this.#replica.list(view, this.#pending.look),
      hasMore: this.#replica.hasMore(view),
      loading: this.#connection.follower.isLoading(view),
      begun: this.#replica.version !== null && this.#replica.isBegun(view),
    };
  }

  /** Hold one page more of a view: its first one the first time. Rejects with a `BelfryError`. */
  loadMore(view: View = "all"): Promise<void> {
    return this.#connection.follower.loadMore(view);
  }

  // What somebody does is shown at once. It resolves when the server has done it; while the server cannot be told, it
  // waits; it rejects, and is taken back, when the server refuses it.

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

  /** For good. */
  delete(seq: number): Promise<void> {
    const intent = { change: "deleted", seqs: [seq], through: null } as const;
    return this.#acts.do(intent, () => this.#connection.api.remove(seq).then(() => 0));
  }

  /** “All” means all that this device knew of. */
  markAllRead(): Promise<void> {
    return this.#markAll("read", "read");
  }

  markAllSeen(): Promise<void> {
    return this.state.unseen === 0 ? Promise.resolve() : this.#markAll("seen", "seen");
  }

  archiveAll(): Promise<void> {
    return this.#markAll("archived", "archive");
  }

  /** Any call of the API as this person, such as `request("POST", "/v1/follows", {target: "bob"})`, in their order. */
  request(method: string, path: string, body?: unknown): Promise<unknown> {
    const done = this.#lastRequest.then(() => this.#connection.api.call(method, path, body));
    this.#lastRequest = done.catch(() => {});
    return done;
  }

  /** Use this token from now on. Throws a `BelfryError` for one that is none, or that is somebody else's. */
  setToken(token: string): void {
    this.#connection.setToken(token);
  }

  /** Look now, instead of at the next occasion. */
  refresh(): void {
    this.#connection.refresh();
  }

  /** Go offline, as a train in a tunnel would: what is held stays, and another tab takes the lead. */
  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  /** End for good. */
  close(): void {
    this.#connection.close();
    this.#acts.close();
    this.#listeners.clear();
    this.#arrivals.clear();
  }

  #mark(change: StateName, mark: Mark, seqs: number[]): Promise<void> {
    return this.#acts.do({ change, seqs, through: null }, () => this.#connection.api.mark(mark, { seqs }));
  }

  #markAll(change: StateName, mark: Mark): Promise<void> {
    const through = this.#replica.version ?? 0;
    if (through === 0) return Promise.resolve();
    return this.#acts.do({ change, seqs: null, through }, () => this.#connection.api.mark(mark, { through }));
  }

  #patch(change: StateName, seq: number, state: Patch): Promise<void> {
    return this.#acts.do({ change, seqs: [seq], through: null }, () => this.#connection.api.patch(seq, state));
  }

  #look(): State {
    const { version, epoch } = this.#replica;
    const { status, problem, live } = this.#connection;
    return {
      status,
      problem: problem ?? this.#acts.problem,
      pushProblem: live.problem,
      items: this.#replica.list("all", this.#pending.look),
      ...this.#pending.counts(this.#replica, this.#replica.held()),
      waiting: this.#acts.waiting,
      version,
      epoch,
      expiresAt: live.expiresAt,
      leads: live.leads,
    };
  }

  /** Listeners are told once, however much happens at one moment. */
  #changed(): void {
    this.#state = null;
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      tellEach(this.#listeners, this.state);
    });
  }
}
