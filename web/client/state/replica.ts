/**
 * The client's rule, and nothing else: no network, no clock.
 *
 * The server numbers the changes of an inbox 1, 2, 3, … without gaps. A client applies the change that comes next,
 * ignores what it has already, and whenever something may be missing it fetches all changes since its own version.
 * So it does not matter whether a change is lost, doubled, or comes out of order.
 */

import { after, isIn, isKnown } from "./change.ts";
import { Depths, type Request } from "./page_cursors.ts";
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

/** `gap`: fetch the changes. `anew`: load the inbox again. */
export type Outcome = "applied" | "known" | "gap" | "anew";

const REMEMBERED = 1000; // changes kept to bring a page up to date that was asked for before them

export class Replica {
  /** The number of the last change that is in here; null until the inbox is loaded. */
  version: number | null = null;
  /** Which history the versions belong to. */
  epoch: string | null = null;
  unread = 0;
  unseen = 0;
  /** Items that a change spoke of and that are to be fetched, because a view that is held should show them. */
  readonly missing = new Set<number>();

  readonly #depths = new Depths();
  #items = new Map<number, Item>();
  #recent: Change[] = [];

  /** Take what the socket said. */
  hear(told: Announcement): Outcome {
    if (this.version === null) return "gap";
    if (told.epoch !== this.epoch) return "anew";
    if (told.version <= this.version) return "known";
    if (told.version > this.version + 1) return "gap";
    if (!isKnown(told.change)) return "anew";
    this.#apply(told);
    this.#arriveAt(told);
    return "applied";
  }

  /** Take what `/changes` answered. Returns those that were applied, or null when the inbox is to be loaded anew. */
  follow(answer: Changes): Change[] | null {
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

  /** Begin with the newest page of view `all`. */
  load(page: Page): void {
    this.#items = new Map();
    this.#recent = [];
    this.missing.clear();
    for (const view of VIEWS) this.#depths.beginAgain(view);
    this.epoch = page.epoch;
    this.#arriveAt(page);
    this.hold(this.next("all"), page);
  }

  /** The page that continues a view. `hold` what comes. */
  next(view: View): Request {
    return this.#depths.next(view);
  }

  /** Take a page; one that was asked for before later changes is brought up to date. False: ask for it again. */
  hold(request: Request, page: Page): boolean {
    const missed = this.#since(page.version);
    if (!this.#depths.awaits(request) || page.epoch !== this.epoch || missed === null) return false;
    for (const item of page.items) this.#holdItem(item, missed);
    this.#depths.hold(request, page);
    return true;
  }

  /** Take one item that was fetched by itself; `version` is what the replica had when it was asked for. */
  holdOne(item: Item, version: number): void {
    this.#holdItem(item, this.#since(version) ?? []);
  }

  /** What a view shows, newest first, each item as `look` sees it; null is not shown. */
  list(view: View, look: (item: Item) => Item | null = (item) => item): Item[] {
    const floor = this.#depths.floor(view);
    const shown: Item[] = [];
    for (const held of this.#items.values()) {
      const item = held.seq >= floor ? look(held) : null;
      if (item && isIn(view, item)) shown.push(item);
    }
    return shown.sort((one, other) => other.seq - one.seq);
  }

  /** Every item that is held, in no order. */
  held(): Iterable<Item> {
    return this.#items.values();
  }

  get(seq: number): Item | undefined {
    return this.#items.get(seq);
  }

  hasMore(view: View): boolean {
    return this.#depths.hasMore(view);
  }

  isBegun(view: View): boolean {
    return this.#depths.isBegun(view);
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
    this.#noteWhatIsMissing(change);
    for (const item of change.seqs ? this.#named(change.seqs) : this.#items.values()) this.#put(item, change);
  }

  #put(item: Item, change: StateChange): void {
    const then = after(item, change);
    if (then === null) this.#items.delete(item.seq);
    else if (then !== item) this.#items.set(item.seq, then);
  }

  #named(seqs: readonly number[]): Item[] {
    return seqs.flatMap((seq) => this.#items.get(seq) ?? []);
  }

  /** A view that gains items which are not held would lack them: fetch the few that are named, else begin it again. */
  #noteWhatIsMissing(change: StateChange): void {
    if (!["archived", "unarchived", "unread"].includes(change.change)) return;
    const gaining: View[] = change.change === "archived" ? ["archived"] : ["all", "unread"];
    for (const view of gaining) {
      const floor = this.#depths.floor(view);
      if (change.seqs === null) this.#depths.beginAgain(view);
      else for (const seq of change.seqs) if (seq >= floor && !this.#items.has(seq)) this.missing.add(seq);
    }
  }

  #holdItem(item: Item, missed: readonly Change[]): void {
    this.missing.delete(item.seq);
    const held = this.#items.get(item.seq);
    if (held && held.version >= item.version) return;
    let then: Item | null = item;
    for (const change of missed) if (then && change.change !== "added") then = after(then, change);
    if (then) this.#items.set(item.seq, then);
  }

  /** The changes after that version, or null when some of them are forgotten. */
  #since(version: number): Change[] | null {
    if (this.version === null || version >= this.version) return [];
    const known = (this.#recent[0]?.version ?? Number.POSITIVE_INFINITY) <= version + 1;
    return known ? this.#recent.filter((change) => change.version > version) : null;
  }
}
