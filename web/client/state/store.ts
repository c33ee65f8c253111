/**
 * The state of one inbox, and the events by which its parts learn of each other.
 *
 *     Inbox ──> MutationQueue ─────────────────────┐
 *       └─────> Connection ──> Synchronizer ───────┼──> Store (state, events) ──> Replica, Pending
 *                   ├────────> Realtime ───────────┤
 *                   └────────> Poller ─────────────┘
 *
 * The arrows are imports and calls. No part knows the part above it or beside it: it writes to the store and emits an
 * event, and whoever needs the event listens.
 */

import { Emitter } from "../emitter.ts";
import type { BelfryError } from "../errors.ts";
import type { Announcement, Changes, Item } from "../types.ts";
import { Pending } from "./pending.ts";
import { Replica } from "./replica.ts";
import type { State, Status } from "./state.ts";

/** The answer to `GET /v1/inbox/changes?since=`. */
export interface FetchedChanges {
  readonly since: number;
  readonly answer: Changes;
}

export interface Events {
  /** Something in the store has changed. */
  changed: void;
  /** Synchronizer: new items, oldest first. */
  arrived: readonly Item[];
  /** Realtime: the socket, or the leading tab, reports a change. */
  announced: Announcement;
  /** Synchronizer: this tab has fetched changes. */
  fetched: FetchedChanges;
  /** Realtime: another tab has fetched changes. */
  shared: FetchedChanges;
  /** Realtime, MutationQueue: the server may have changes that the replica lacks. */
  stale: void;
  /** Synchronizer: the replica is up to date. */
  synced: void;
  /** The last request to the API failed; `problem` says why. */
  failed: void;
  /** Realtime: `live`, `pushProblem` or `expiresAt` has changed. */
  realtime: void;
  /** Realtime: the push server rejects the token. */
  tokenRejected: void;
  /** MutationQueue: a mutation could not be sent and has to be retried. */
  deferred: void;
  /** Poller: it is time to poll. */
  pollDue: void;
  /** Poller: the user has come back to the page, or the network is back. */
  resumed: void;
}

export interface Values {
  /** The user's id, from the token; null until there is a token. */
  readonly sub: string | null;
  readonly paused: boolean;
  readonly closed: boolean;
  /** The browser reports that there is no network. A successful request overrides it: some browsers are wrong. */
  readonly networkDown: boolean;
  /** Why the last request failed. */
  readonly problem: BelfryError | null;
  /** Failed requests since the last success. */
  readonly failures: number;
  /** The replica was up to date at the last request. */
  readonly current: boolean;
  /** Whether changes arrive in real time; null while that is unknown. */
  readonly live: boolean | null;
  readonly pushProblem: BelfryError | null;
  readonly expiresAt: string | null;
  readonly leads: boolean;
  /** Mutations that wait to be sent. */
  readonly waiting: number;
  readonly mutationProblem: BelfryError | null;
  /** Failed attempts to send a mutation since the last success. */
  readonly mutationFailures: number;
}

const INITIAL: Values = {
  sub: null,
  paused: false,
  closed: false,
  networkDown: false,
  problem: null,
  failures: 0,
  current: false,
  live: null,
  pushProblem: null,
  expiresAt: null,
  leads: false,
  waiting: 0,
  mutationProblem: null,
  mutationFailures: 0,
};

export class Store extends Emitter<Events> {
  readonly replica = new Replica();
  readonly pending = new Pending();
  readonly #renewsToken: boolean;
  #values = INITIAL;
  #state: State | null = null;

  /** `renewsToken`: there is a `getToken`, so a rejected token is no reason to give up. */
  constructor(renewsToken: boolean) {
    super();
    this.#renewsToken = renewsToken;
    this.on("changed", () => {
      this.#state = null;
    });
  }

  get values(): Values {
    return this.#values;
  }

  update(changes: Partial<Values>): void {
    this.#values = { ...this.#values, ...changes };
    this.emit("changed");
  }

  /** A request succeeded, and the replica is up to date. */
  succeeded(): void {
    this.update({ failures: 0, networkDown: false, problem: null });
    this.emit("synced");
  }

  failed(problem: BelfryError): void {
    if (this.#values.closed) return;
    this.update({ problem, failures: this.#values.failures + 1 });
    this.emit("failed");
  }

  get isActive(): boolean {
    return !this.#values.paused && !this.#values.closed;
  }

  /** Whether mutations can be sent now. */
  get isReady(): boolean {
    return this.isActive && !this.#values.networkDown && this.#values.problem === null;
  }

  /** Whether another request may succeed without a new token or new options. */
  get canRetry(): boolean {
    const { problem } = this.#values;
    return problem === null || problem.passing || this.#renewsToken;
  }

  get state(): State {
    this.#state ??= this.#snapshot();
    return this.#state;
  }

  #snapshot(): State {
    const { version, epoch } = this.replica;
    const { problem, pushProblem, waiting, mutationProblem, expiresAt, leads } = this.#values;
    return {
      status: this.#status(),
      problem: problem ?? mutationProblem,
      pushProblem,
      items: this.replica.list("all", this.pending.apply),
      ...this.pending.counts(this.replica, this.replica.items()),
      waiting,
      version,
      epoch,
      expiresAt,
      leads,
    };
  }

  #status(): Status {
    const { problem, paused, networkDown, current, live } = this.#values;
    if (problem && !problem.passing) return "refused";
    if (paused || networkDown || problem) return "offline";
    if (!current || live === null) return "syncing";
    return live ? "online" : "polling";
  }
}
