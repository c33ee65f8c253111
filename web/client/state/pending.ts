/** What the user did and what is held does not have in it yet: shown at once, taken back when it was refused. */

import { after } from "./change.ts";
import type { Item, StateChange } from "../types.ts";

interface Shown {
  readonly change: StateChange;
  /** Once the server has done it: the version that has it in it, 0 when that is not known. */
  done: number | null;
}

/** Without what the server adds to it. */
export type Intent = Pick<StateChange, "change" | "seqs" | "through">;

export interface Handle {
  /** It was refused: show the truth again. */
  undo(): void;
  /** It is done, at that version if it is known. */
  settle(version: number): void;
}

const NOW = Number.MAX_SAFE_INTEGER; // a version above all: it applies to every item as it is

export class Pending {
  #all: Shown[] = [];

  /** Show this from now on. */
  add(intent: Intent): Handle {
    const shown: Shown = { change: { ...intent, version: NOW, at: new Date().toISOString() }, done: null };
    this.#all.push(shown);
    return {
      undo: () => this.#keep((one) => one !== shown),
      settle: (version) => {
        shown.done = version;
      },
    };
  }

  /** Whether something is done whose version is not here yet, or is not known. */
  awaits(version: number | null): boolean {
    return this.#all.some(({ done }) => done !== null && (done === 0 || version === null || done > version));
  }

  /** The truth has arrived at this version: what is done by then is in it. */
  arrived(version: number): void {
    this.#keep(({ done }) => !done || done > version);
  }

  /** What is done now is in all that is fetched from now on. Returns how to forget it then. */
  beforeFetch(): () => void {
    const done = new Set(this.#all.filter((one) => one.done !== null));
    return () => this.#keep((one) => !done.has(one));
  }

  /** The item as the user left it; null when they deleted it. */
  look = (item: Item): Item | null => {
    let seen: Item | null = item;
    for (const { change } of this.#all) {
      const then: Item | null = seen && after(seen, change);
      seen = then && then !== seen ? { ...then, version: item.version } : then; // so that the next act applies as well
    }
    return seen;
  };

  /** The counts as the user left them, from the truth's and all the items that are held. */
  counts(truth: { readonly unread: number; readonly unseen: number }, held: Iterable<Item>) {
    if (this.#all.length === 0) return { unread: truth.unread, unseen: truth.unseen };
    const marksAll = this.#all.some(({ change }) => change.through !== null);
    const readsAll = this.#all.some(({ change }) => change.through !== null && change.change !== "seen");
    const now = { unread: 0, unseen: 0 };
    const beneath = { ...truth }; // those of items that are not held
    for (const item of held) {
      const seen = this.look(item);
      beneath.unread -= item.read_at ? 0 : 1;
      beneath.unseen -= item.seen_at ? 0 : 1;
      now.unread += seen && !seen.read_at ? 1 : 0;
      now.unseen += seen && !seen.seen_at ? 1 : 0;
    }
    return {
      unread: now.unread + (readsAll ? 0 : Math.max(0, beneath.unread)),
      unseen: now.unseen + (marksAll ? 0 : Math.max(0, beneath.unseen)),
    };
  }

  #keep(stays: (one: Shown) => boolean): void {
    this.#all = this.#all.filter(stays);
  }
}
