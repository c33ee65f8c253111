/**
 * Sends the user's changes to the server, one after another, in their order. A change that cannot be sent now waits, as
 * long as the page lives, and is sent again later: a change is idempotent, so it does no harm if the server has it.
 */

import { BelfryError } from "../errors.ts";
import type { Handle, Intent } from "../state/pending.ts";
import type { Store } from "../state/store.ts";

interface Mutation {
  readonly intent: Intent;
  /** The history that its seqs belong to. */
  readonly epoch: string | null;
  /** Resolves to the version that contains the change; 0 if that is unknown. */
  readonly send: () => Promise<number>;
  readonly shown: Handle;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class MutationQueue {
  readonly #store: Store;
  #queue: Mutation[] = [];
  #flushing = false;
  #problem: BelfryError | null = null;
  #failures = 0;

  constructor(store: Store) {
    this.#store = store;
    store.on("synced", () => void this.#flush());
  }

  /** Show the change at once, and send it. Resolves when the server has made it; rejects, and undoes it, if refused. */
  add(intent: Intent, send: () => Promise<number>): Promise<void> {
    const { pending, replica } = this.#store;
    const shown = pending.add(intent);
    const done = new Promise<void>((resolve, reject) => {
      this.#queue.push({ intent, epoch: replica.epoch, send, shown, resolve, reject });
    });
    void this.#flush();
    this.#publish();
    return done;
  }

  /** Reject all mutations that wait. */
  close(): void {
    for (const { reject } of this.#queue.splice(0))
      reject(new BelfryError("unreachable", "The inbox was closed before this was done."));
  }

  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    let next = this.#queue[0];
    while (next && this.#store.isReady && (await this.#send(next))) next = this.#queue[0];
    this.#flushing = false;
    this.#publish();
  }

  /** False if the mutation has to wait. */
  async #send(mutation: Mutation): Promise<boolean> {
    try {
      if (mutation.epoch !== null && mutation.epoch !== this.#store.replica.epoch)
        throw new BelfryError("refused", "The inbox is another since: its server was restored from a backup.");
      this.#confirmed(mutation, await mutation.send());
    } catch (error) {
      if (mayRetry(error)) {
        this.#deferred(error);
        return false;
      }
      this.#refused(mutation, error);
    }
    return true;
  }

  #confirmed(mutation: Mutation, version: number): void {
    const { pending, replica } = this.#store;
    this.#dequeue();
    mutation.shown.confirm(version);
    if (replica.version !== null) pending.reached(replica.version);
    if (pending.isAhead(replica.version)) this.#store.emit("stale");
    mutation.resolve();
    this.#publish();
  }

  #refused(mutation: Mutation, error: unknown): void {
    this.#dequeue();
    mutation.shown.undo();
    mutation.reject(error);
    this.#store.emit("stale");
    this.#publish();
  }

  #deferred(problem: BelfryError): void {
    this.#problem = problem;
    this.#failures += 1;
    this.#publish();
    this.#store.emit("deferred");
  }

  #dequeue(): void {
    this.#queue.shift();
    this.#problem = null;
    this.#failures = 0;
  }

  /** A mutation that is being sent does not count as waiting, nor does "seen", which no user asks for. */
  #publish(): void {
    const isSending = this.#flushing && this.#problem === null;
    const waiting = isSending ? 0 : this.#queue.filter(({ intent }) => intent.change !== "seen").length;
    this.#store.update({ waiting, mutationProblem: this.#problem, mutationFailures: this.#failures });
  }
}

/** The server was not reached or cannot serve now, or it needs another token first. */
function mayRetry(error: unknown): error is BelfryError {
  return error instanceof BelfryError && (error.passing || error.code === "token_refused");
}
