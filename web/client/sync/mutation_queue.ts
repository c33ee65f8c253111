/**
 * What the user did, told to the server one after another, in its order. What cannot be told now waits until the server
 * answers again, as long as the page lives. To mark something twice changes nothing, so whatever may have been told
 * already is told again.
 */

import { BelfryError } from "../errors.ts";
import type { Handle, Intent, Pending } from "../state/pending.ts";
import type { Replica } from "../state/replica.ts";

interface Act {
  readonly intent: Intent;
  /** Which history its numbers belong to. */
  readonly epoch: string | null;
  /** Resolves to the version that has it in it, 0 when that is not known. */
  readonly call: () => Promise<number>;
  readonly shown: Handle;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface ActsListener {
  /** Whether the server can be told something now. */
  isReady(): boolean;
  /** Something is done that what is held does not have in it, or was refused: the server knows more. */
  outdated(): void;
  /** Try again in a while. */
  delayed(): void;
  changed(): void;
}

export class Acts {
  /** Why what waits could not be told, when it was tried. */
  problem: BelfryError | null = null;
  /** How often that was tried since something could be told. */
  failures = 0;
  readonly #replica: Replica;
  readonly #pending: Pending;
  readonly #listener: ActsListener;
  #queue: Act[] = [];
  #telling = false;

  constructor(replica: Replica, pending: Pending, listener: ActsListener) {
    this.#replica = replica;
    this.#pending = pending;
    this.#listener = listener;
  }

  /** How much waits; not what is being told, and not what was merely seen. */
  get waiting(): number {
    if (this.#telling && this.problem === null) return 0;
    return this.#queue.filter(({ intent }) => intent.change !== "seen").length;
  }

  /** Show it at once, and tell it. Resolves when it is done; rejects, and takes it back, when it is refused. */
  do(intent: Intent, call: () => Promise<number>): Promise<void> {
    const shown = this.#pending.add(intent);
    const done = new Promise<void>((resolve, reject) => {
      this.#queue.push({ intent, epoch: this.#replica.epoch, call, shown, resolve, reject });
    });
    void this.tell();
    this.#listener.changed();
    return done;
  }

  /** Tell what waits, if the server can be told now. */
  async tell(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    let act = this.#queue[0];
    while (act && this.#listener.isReady() && (await this.#tellOne(act))) act = this.#queue[0];
    this.#telling = false;
    this.#listener.changed();
  }

  /** Nothing more is told; whoever waits is told so. */
  close(): void {
    for (const { reject } of this.#queue.splice(0))
      reject(new BelfryError("unreachable", "The inbox was closed before this was done."));
  }

  /** False: it waits. */
  async #tellOne(act: Act): Promise<boolean> {
    try {
      if (act.epoch !== null && act.epoch !== this.#replica.epoch)
        throw new BelfryError("refused", "The inbox is another since: its server was restored from a backup.");
      this.#done(act, await act.call());
    } catch (error) {
      if (mayBeToldLater(error)) {
        this.problem = error;
        this.failures += 1;
        this.#listener.delayed();
        return false;
      }
      this.#refused(act, error);
    }
    this.problem = null;
    this.failures = 0;
    return true;
  }

  #done(act: Act, version: number): void {
    this.#queue.shift();
    act.shown.settle(version);
    const here = this.#replica.version;
    if (here !== null) this.#pending.arrived(here);
    if (this.#pending.awaits(here)) this.#listener.outdated();
    act.resolve();
    this.#listener.changed();
  }

  #refused(act: Act, error: unknown): void {
    this.#queue.shift();
    act.shown.undo();
    act.reject(error);
    this.#listener.outdated();
    this.#listener.changed();
  }
}

/** Nobody answered, or not now; or another token is needed first. */
function mayBeToldLater(error: unknown): error is BelfryError {
  return error instanceof BelfryError && (error.passing || error.code === "token_refused");
}
