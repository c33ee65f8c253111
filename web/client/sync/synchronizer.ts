/** Brings what is held up to date: one request is under way at a time, however many ask for it. */

import type { Api } from "../transport/api.ts";
import { isChange } from "../state/change.ts";
import { BelfryError } from "../errors.ts";
import type { Pending } from "../state/pending.ts";
import type { Replica } from "../state/replica.ts";
import type { Announcement, Change, Changes, Item, View } from "../types.ts";

const FETCHED_ONE_BY_ONE = 20; // items that a change spoke of and that are not held
const PAGE_TRIES = 3; // each time the view was begun again meanwhile

export interface FollowerListener {
  /** Whether to ask at all. */
  isActive(): boolean;
  arrived(items: readonly Item[]): void;
  /** This was asked for, and fits whoever holds what was held here. */
  fetched(since: number, answer: Changes): void;
  /** What is held is the present. */
  succeeded(): void;
  failed(problem: BelfryError): void;
  changed(): void;
}

export class Follower {
  /** What is held was the present when last looked at. */
  current = false;
  readonly #api: Api;
  readonly #replica: Replica;
  readonly #pending: Pending;
  readonly #listener: FollowerListener;
  readonly #loading = new Map<View, Promise<void>>();
  readonly #wanted = new Set<View>(["all"]);
  #following: Promise<void> | null = null;
  #askedAgain = false;

  constructor(api: Api, replica: Replica, pending: Pending, listener: FollowerListener) {
    this.#api = api;
    this.#replica = replica;
    this.#pending = pending;
    this.#listener = listener;
  }

  /** Take what the socket said. */
  hear(told: Announcement): void {
    if (this.#following) this.#askedAgain = true; // what is being fetched may have been read before this happened
    const outcome = isChange(told) ? this.#replica.hear(told) : "gap";
    if (outcome === "applied") this.#applied([told]);
    else if (outcome !== "known") void this.catchUp(outcome === "anew");
  }

  /** Take what another tab asked for. */
  overhear(since: number, answer: Changes): void {
    const { version } = this.#replica;
    if (version !== null && since <= version && !this.#following) this.#take(answer);
  }

  /** Ask for the counts alone, and for more only where they differ. */
  async look(): Promise<void> {
    if (!this.current) return this.catchUp();
    try {
      const counts = await this.#api.summary();
      const { version, epoch } = this.#replica;
      if (counts && (counts.version !== version || counts.epoch !== epoch)) return await this.catchUp();
      this.#listener.succeeded();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ask for all that changed since, or for the inbox anew. Never rejects: `failed` is told. */
  catchUp(anew = false): Promise<void> {
    if (anew) this.#replica.version = null;
    this.#askedAgain = true;
    this.#following ??= this.#follow().finally(() => {
      this.#following = null;
      this.#listener.changed();
    });
    return this.#following;
  }

  /** Hold one page more of a view: its first one the first time. Rejects with a `BelfryError`. */
  loadMore(view: View): Promise<void> {
    this.#wanted.add(view);
    const under = this.#loading.get(view);
    if (under || !this.#replica.hasMore(view)) return under ?? Promise.resolve();
    const page = this.#loadPage(view).finally(() => {
      this.#loading.delete(view);
      this.#listener.changed();
    });
    this.#loading.set(view, page);
    this.#listener.changed();
    return page;
  }

  isLoading(view: View): boolean {
    return this.#loading.has(view) || (view === "all" && this.#following !== null && this.#replica.version === null);
  }

  async #follow(): Promise<void> {
    try {
      while (this.#askedAgain && this.#listener.isActive()) {
        this.#askedAgain = false;
        const forget = this.#pending.beforeFetch();
        await (this.#replica.version === null ? this.#load() : this.#fetchChanges(this.#replica.version));
        forget();
      }
      this.current = this.#listener.isActive() && this.#replica.version !== null;
      this.#listener.succeeded();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #load(): Promise<void> {
    const page = await this.#api.page("all", null);
    this.#replica.load(page);
    this.#listener.changed();
    for (const view of this.#wanted) if (view !== "all") await this.#loadPage(view);
  }

  async #fetchChanges(since: number): Promise<void> {
    const answer = await this.#api.changes(since);
    if (answer && answer.epoch === this.#replica.epoch) this.#listener.fetched(since, answer);
    if (!answer || !this.#take(answer)) {
      this.#replica.version = null;
      this.#askedAgain = true;
    } else {
      this.#askedAgain ||= answer.more;
    }
  }

  #take(answer: Changes): boolean {
    const applied = this.#replica.follow(answer);
    if (applied === null) return false;
    this.#applied(applied);
    return true;
  }

  #applied(changes: readonly Change[]): void {
    if (this.#replica.version !== null) this.#pending.arrived(this.#replica.version);
    this.#listener.changed();
    const items = changes.flatMap((change) => (change.change === "added" ? [change.item] : []));
    if (items.length > 0) this.#listener.arrived(items);
    void this.#fetchMissing().catch((error: unknown) => this.#fail(error));
  }

  async #fetchMissing(): Promise<void> {
    const { missing, version } = this.#replica;
    const seqs = [...missing];
    missing.clear();
    if (seqs.length > FETCHED_ONE_BY_ONE) return this.catchUp(true);
    for (const seq of seqs) {
      const item = await this.#api.item(seq);
      if (item) this.#replica.holdOne(item, version ?? 0);
      this.#listener.changed();
    }
    for (const view of this.#wanted)
      if (this.#replica.version !== null && !this.#replica.isBegun(view)) await this.loadMore(view);
  }

  async #loadPage(view: View): Promise<void> {
    for (let tries = 0; tries < PAGE_TRIES; tries += 1) {
      const request = this.#replica.next(view);
      const page = await this.#api.page(view, request.cursor);
      if (page.epoch !== this.#replica.epoch) return this.catchUp(true);
      if (this.#replica.hold(request, page)) break;
    }
    this.#listener.changed();
  }

  #fail(error: unknown): void {
    this.current = false;
    this.#listener.failed(error instanceof BelfryError ? error : new BelfryError("incompatible", String(error)));
    if (!(error instanceof BelfryError)) throw error;
  }
}
