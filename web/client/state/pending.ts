/** Optimistic updates: the user's changes that the replica does not contain yet. */

import type { Item, StateChange } from "../types.ts";
import { applyChange } from "./change.ts";

interface Update {
  readonly change: StateChange;
  /** Null until the server confirms the change; then the version that contains it, 0 if that is unknown. */
  confirmed: number | null;
}

/** A change as the user makes it: the server adds the version and the time. */
export type Intent = Pick<StateChange, "change" | "seqs" | "through">;

export interface Handle {
  /** The server refused the change: show the item as it was. */
  undo(): void;
  /** The server has made the change, at this version; 0 if that is unknown. */
  confirm(version: number): void;
}

const ABOVE_ALL = Number.MAX_SAFE_INTEGER; // a version at which a change applies to every item

export class Pending {
  #updates: Update[] = [];

  /** Show this change from now on. */
  add(intent: Intent): Handle {
    const change = { ...intent, version: ABOVE_ALL, at: new Date().toISOString() };
    const update: Update = { change, confirmed: null };
    this.#updates.push(update);
    return {
      undo: () => this.#keep((other) => other !== update),
      confirm: (version) => {
        update.confirmed = version;
      },
    };
  }

  /** Whether a confirmed change may be missing in a replica of this version. */
  isAhead(version: number | null): boolean {
    return this.#updates.some(
      ({ confirmed }) => confirmed !== null && (confirmed === 0 || version === null || confirmed > version),
    );
  }

  /** The replica has reached this version: drop the changes that it contains. */
  reached(version: number): void {
    this.#keep(({ confirmed }) => !confirmed || confirmed > version);
  }

  /** Call it before a fetch. Returns a function that drops the changes the fetch has brought: those confirmed by now. */
  beforeFetch(): () => void {
    const fetched = new Set(this.#updates.filter(({ confirmed }) => confirmed !== null));
    return () => this.#keep((update) => !fetched.has(update));
  }

  /** The item with all changes; null if the user deleted it. */
  apply = (item: Item): Item | null => {
    let result: Item | null = item;
    for (const { change } of this.#updates) {
      const next: Item | null = result && applyChange(result, change);
      result = next && next !== result ? { ...next, version: item.version } : next; // or the next change would not apply
    }
    return result;
  };

  /** The replica's counts with all changes. `items` are the loaded ones. */
  counts(replica: { readonly unread: number; readonly unseen: number }, items: Iterable<Item>) {
    if (this.#updates.length === 0) return { unread: replica.unread, unseen: replica.unseen };
    const marksAll = this.#updates.some(({ change }) => change.through !== null);
    const readsAll = this.#updates.some(({ change }) => change.through !== null && change.change !== "seen");
    const loaded = { unread: 0, unseen: 0 };
    const notLoaded = { ...replica };
    for (const item of items) {
      const result = this.apply(item);
      notLoaded.unread -= item.read_at ? 0 : 1;
      notLoaded.unseen -= item.seen_at ? 0 : 1;
      loaded.unread += result && !result.read_at ? 1 : 0;
      loaded.unseen += result && !result.seen_at ? 1 : 0;
    }
    return {
      unread: loaded.unread + (readsAll ? 0 : Math.max(0, notLoaded.unread)),
      unseen: loaded.unseen + (marksAll ? 0 : Math.max(0, notLoaded.unseen)),
    };
  }

  #keep(stays: (update: Update) => boolean): void {
    this.#updates = this.#updates.filter(stays);
  }
}
