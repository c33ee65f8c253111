/** Keeps the replica up to date over HTTP. However many ask for it, one catch-up runs at a time. */

import { BelfryError } from "../errors.ts";
import type { FetchedChanges, Store } from "../state/store.ts";
import type { Api } from "../transport/api.ts";
import type { Announcement, Change, Changes, View } from "../types.ts";
import { isChange } from "../validate.ts";

const MISSING_MAX = 20; // items that are fetched one by one; with more, the inbox is loaded again
const PAGE_TRIES = 3; // a page has to be requested again if its view was reset meanwhile

export class Synchronizer {
  readonly #api: Api;
  readonly #store: Store;
  readonly #loading = new Map<View, Promise<void>>();
  readonly #wanted = new Set<View>(["all"]);
  #running: Promise<void> | null = null;
  #again = false;

  constructor(api: Api, store: Store) {
    this.#api = api;
    this.#store = store;
    store.on("announced", (announcement) => this.#receive(announcement));
    store.on("shared", (fetched) => this.#receiveShared(fetched));
    store.on("stale", () => void this.catchUp());
  }

  /** Fetch the counts alone, and the changes only if the version differs. */
  async poll(): Promise<void> {
    if (!this.#store.values.current) return this.catchUp();
    try {
      const counts = await this.#api.summary();
      const { version, epoch } = this.#store.replica;
      if (counts && (counts.version !== version || counts.epoch !== epoch)) return await this.catchUp();
      this.#store.succeeded();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Fetch all changes since the replica's version; with `reload`, load the inbox again. Rejects with no `BelfryError`. */
  catchUp(reload = false): Promise<void> {
    if (reload) this.#store.replica.version = null;
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      this.#store.emit("changed");
    });
    return this.#running;
  }

  /** Load the next page of a view, the first page at first. Rejects with a `BelfryError`. */
  loadMore(view: View): Promise<void> {
    this.#wanted.add(view);
    const loading = this.#loading.get(view);
    if (loading || !this.#store.replica.hasMore(view)) return loading ?? Promise.resolve();
    const page = this.#loadPage(view).finally(() => {
      this.#loading.delete(view);
      this.#store.emit("changed");
    });
    this.#loading.set(view, page);
    this.#store.emit("changed");
    return page;
  }

  isLoading(view: View): boolean {
    const isFirstLoad = this.#running !== null && this.#store.replica.version === null;
    return this.#loading.has(view) || (view === "all" && isFirstLoad);
  }

  #receive(announcement: Announcement): void {
    if (this.#running) this.#again = true; // the server may have read its answer before this change
    const outcome = isChange(announcement) ? this.#store.replica.announce(announcement) : "gap";
    if (outcome === "applied") this.#applied([announcement]);
    else if (outcome !== "duplicate") void this.catchUp(outcome === "reload");
  }

  #receiveShared({ since, answer }: FetchedChanges): void {
    const { version } = this.#store.replica;
    if (version !== null && since <= version && !this.#running) this.#apply(answer);
  }

  async #run(): Promise<void> {
    const { replica, pending } = this.#store;
    try {
      while (this.#again && this.#store.isActive) {
        this.#again = false;
        const dropFetched = pending.beforeFetch();
        await (replica.version === null ? this.#load() : this.#fetchChanges(replica.version));
        dropFetched();
      }
      this.#store.update({ current: this.#store.isActive && replica.version !== null });
      this.#store.succeeded();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #load(): Promise<void> {
    const page = await this.#api.page("all", null);
    this.#store.replica.load(page);
    this.#store.emit("changed");
    for (const view of this.#wanted) if (view !== "all") await this.#loadPage(view);
  }

  async #fetchChanges(since: number): Promise<void> {
    const { replica } = this.#store;
    const answer = await this.#api.changes(since);
    if (answer && answer.epoch === replica.epoch) this.#store.emit("fetched", { since, answer });
    if (!answer || !this.#apply(answer)) {
      replica.version = null;
      this.#again = true;
    } else {
      this.#again ||= answer.more;
    }
  }

  /** False if the inbox has to be loaded again. */
  #apply(answer: Changes): boolean {
    const applied = this.#store.replica.applyChanges(answer);
    if (applied === null) return false;
    this.#applied(applied);
    return true;
  }

  #applied(changes: readonly Change[]): void {
    const { replica, pending } = this.#store;
    if (replica.version !== null) pending.reached(replica.version);
    this.#store.emit("changed");
    const items = changes.flatMap((change) => (change.change === "added" ? [change.item] : []));
    if (items.length > 0) this.#store.emit("arrived", items);
    void this.#fetchMissing().catch((error: unknown) => this.#fail(error));
  }

  async #fetchMissing(): Promise<void> {
    const { replica } = this.#store;
    const { missing, version } = replica;
    const seqs = [...missing];
    missing.clear();
    if (seqs.length > MISSING_MAX) return this.catchUp(true);
    for (const seq of seqs) {
      const item = await this.#api.item(seq);
      if (item) replica.addItem(item, version ?? 0);
      this.#store.emit("changed");
    }
    for (const view of this.#wanted) if (replica.version !== null && !replica.isBegun(view)) await this.loadMore(view);
  }

  async #loadPage(view: View): Promise<void> {
    const { replica } = this.#store;
    for (let tries = 0; tries < PAGE_TRIES; tries += 1) {
      const request = replica.nextPage(view);
      const page = await this.#api.page(view, request.cursor);
      if (page.epoch !== replica.epoch) return this.catchUp(true);
      if (replica.addPage(request, page)) break;
    }
    this.#store.emit("changed");
  }

  #fail(error: unknown): void {
    this.#store.update({ current: false });
    this.#store.failed(error instanceof BelfryError ? error : new BelfryError("incompatible", String(error)));
    if (!(error instanceof BelfryError)) throw error;
  }
}
