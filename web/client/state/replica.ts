/**
 * A copy of the server's inbox, kept by the rule of versions. It does no I/O and reads no clock.
 *
 * The server numbers the changes of an inbox 1, 2, 3, … without gaps. The replica applies the change that comes next and
 * ignores those that it has. Whenever a change may be missing, its owner fetches all changes since the replica's version.
 * So it does not matter whether a change is lost, doubled, or comes out of order.
 */

import {
  type Announcement,
  type Change,
  type Changes,
  type Counts,
  type Item,
  type Page,
  type StateChange,
  type View,
  VIEWS,
} from "../types.ts";
import { applyChange, isIn, isKnown } from "./change.ts";
import { PageCursors, type PageRequest } from "./page_cursors.ts";

/** `gap`: fetch the changes. `reload`: load the inbox again. */
export type Outcome = "applied" | "duplicate" | "gap" | "reload";

const REMEMBERED = 1000; // changes; they bring a page up to date that was requested before them

export class Replica {
  /** The version of the last change that is applied; null until the inbox is loaded. */
  version: number | null = null;
  /** The history that the versions belong to. */
  epoch: string | null = null;
  unread = 0;
  unseen = 0;
  /** Items to fetch: a change named them, a loaded view should show them, and they are not here. */
  readonly missing = new Set<number>();

  readonly #cursors = new PageCursors();
  #items = new Map<number, Item>();
  #recent: Change[] = [];

  /** Apply a change that the socket announced. */
  announce(announcement: Announcement): Outcome {
    if (this.version === null) return "gap";
    if (announcement.epoch !== this.epoch) return "reload";
    if (announcement.version <= this.version) return "duplicate";
    if (announcement.version > this.version + 1) return "gap";
    if (!isKnown(announcement.change)) return "reload";
    this.#apply(announcement);
    this.#arriveAt(announcement);
    return "applied";
  }

  /** Apply an answer of `/changes`. Returns the changes that were new; null if the inbox has to be loaded again. */
  applyChanges(answer: Changes): Change[] | null {
    const mine = this.version;
    if (mine === null || answer.epoch !== this.epoch) return null;
    if (answer.version < mine) return [];
    const fresh = answer.changes.filter((change) => change.version > mine);
    if (!fresh.every((change) => isKnown(change.change))) return null;
    for (const change of fresh) this.#apply(change);
    if (answer.more) this.version = answer.version;
    else this.#arriveAt(answer);
    return fresh;
  }

  /** Start again with the newest page of view `all`. */
  load(page: Page): void {
    this.#items = new Map();
    this.#recent = [];
    this.missing.clear();
    for (const view of VIEWS) this.#cursors.reset(view);
    this.epoch = page.epoch;
    this.#arriveAt(page);
    this.addPage(this.nextPage("all"), page);
  }

  /** The page that continues a view; pass the answer to `addPage`. */
  nextPage(view: View): PageRequest {
    return this.#cursors.next(view);
  }

  /** Add a page, with the changes since it was read. False if it has to be requested again. */
  addPage(request: PageRequest, page: Page): boolean {
    const missed = this.#since(page.version);
    if (!this.#cursors.isCurrent(request) || page.epoch !== this.epoch || missed === null) return false;
    for (const item of page.items) this.#add(item, missed);
    this.#cursors.advance(request, page);
    return true;
  }

  /** Add an item that was fetched alone; `version` was the replica's when the item was requested. */
  addItem(item: Item, version: number): void {
    this.#add(item, this.#since(version) ?? []);
  }

  /** The loaded items of a view, newest first. `shown` may replace an item, or hide it by null. */
  list(view: View, shown: (item: Item) => Item | null = (item) => item): Item[] {
    const floor = this.#cursors.floor(view);
    const list: Item[] = [];
    for (const held of this.#items.values()) {
      const item = held.seq >= floor ? shown(held) : null;
      if (item && isIn(view, item)) list.push(item);
    }
    return list.sort((one, other) => other.seq - one.seq);
  }

  /** All loaded items, in no order. */
  items(): Iterable<Item> {
    return this.#items.values();
  }

  get(seq: number): Item | undefined {
    return this.#items.get(seq);
  }

  hasMore(view: View): boolean {
    return this.#cursors.hasMore(view);
  }

  isBegun(view: View): boolean {
    return this.#cursors.isBegun(view);
  }

  /** The counts belong to the version: they are replaced together, so a late answer spoils neither. */
  #arriveAt({ version, unread, unseen }: Counts): void {
    this.version = version;
    this.unread = unread;
    this.unseen = unseen;
  }

  #apply(change: Change): void {
    this.version = change.version;
    this.#recent.push(change);
    if (this.#recent.length > REMEMBERED * 2) this.#recent.splice(0, REMEMBERED);
    if (change.change === "added") {
      const held = this.#items.get(change.item.seq);
      if (!held || held.version < change.item.version) this.#items.set(change.item.seq, change.item);
      return;
    }
    this.#noteMissing(change);
    for (const item of change.seqs ? this.#named(change.seqs) : this.#items.values()) this.#put(item, change);
  }

  #put(item: Item, change: StateChange): void {
    const then = applyChange(item, change);
    if (then === null) this.#items.delete(item.seq);
    else if (then !== item) this.#items.set(item.seq, then);
  }

  #named(seqs: readonly number[]): Item[] {
    return seqs.flatMap((seq) => this.#items.get(seq) ?? []);
  }

  /** Items that come into a view may not be loaded: note the ones that are named, or else start the view again. */
  #noteMissing(change: StateChange): void {
    if (!["archived", "unarchived", "unread"].includes(change.change)) return;
    const gaining: View[] = change.change === "archived" ? ["archived"] : ["all", "unread"];
    for (const view of gaining) {
      const floor = this.#cursors.floor(view);
      if (change.seqs === null) this.#cursors.reset(view);
      else for (const seq of change.seqs) if (seq >= floor && !this.#items.has(seq)) this.missing.add(seq);
    }
  }

  #add(item: Item, missed: readonly Change[]): void {
    this.missing.delete(item.seq);
    const held = this.#items.get(item.seq);
    if (held && held.version >= item.version) return;
    let then: Item | null = item;
    for (const change of missed) if (then && change.change !== "added") then = applyChange(then, change);
    if (then) this.#items.set(item.seq, then);
  }

  /** The changes after that version; null if some of them are no longer remembered. */
  #since(version: number): Change[] | null {
    if (this.version === null || version >= this.version) return [];
    const known = (this.#recent[0]?.version ?? Number.POSITIVE_INFINITY) <= version + 1;
    return known ? this.#recent.filter((change) => change.version > version) : null;
  }
}
