/** One person's inbox on this page: the socket hints, the API tells, the rule decides; whoever listens is told. */

import { Api, type Mark, type Patch } from "./api.ts";
import { BelfryError } from "./errors.ts";
import { Pending } from "./pending.ts";
import { Replica } from "./replica.ts";
import { Link, type OpenSocket } from "./socket.ts";
import { type Browser, Tabs, type Word } from "./tabs.ts";
import { claimsOf, type GetToken, Tokens } from "./tokens.ts";
import type { Announcement, Change, Changes, Item, StateName, View } from "./types.ts";

/**
 * `syncing`: loading or catching up. `online`: what is shown is the present, and what comes is heard at once.
 * `polling`: the present of a few seconds ago; there is no socket. `offline`: what was there when the network went, or
 * when `pause()` was called. `refused`: something is wrong that passes only by what somebody does; see `problem`.
 */
export type Status = "syncing" | "online" | "polling" | "offline" | "refused";

/** What is known at one moment; a new object whenever something changes, and the same one until then. */
export interface State {
  readonly status: Status;
  readonly problem: BelfryError | null;
  /** What view `all` holds, newest first. */
  readonly items: readonly Item[];
  /** Of the whole inbox, whatever is held of it. */
  readonly unread: number;
  readonly unseen: number;
  /** Null until the inbox was loaded once. */
  readonly version: number | null;
  readonly epoch: string | null;
  /** When the token ends, once that is near and nothing renews it. */
  readonly expiresAt: string | null;
  /** Whether this tab holds the socket for all tabs of this browser. */
  readonly leads: boolean;
}

export interface List {
  readonly items: readonly Item[];
  /** Whether there are older ones: see `loadMore`. */
  readonly hasMore: boolean;
  readonly loading: boolean;
  /** Whether it was ever loaded: until then it is empty whatever the inbox holds. */
  readonly begun: boolean;
}

export interface Options {
  /** The API's address, such as `https://belfry.example.com`, or "" where it is this page's own. */
  readonly api: string;
  /** The push server's address; without one the inbox polls. */
  readonly push?: string | null;
  readonly token?: string | null;
  /** Asked for a token whenever one is needed: at first, and when the last one ends. */
  readonly getToken?: GetToken | null;
  /** Tabs of one browser share one socket; false: this inbox has its own. */
  readonly share?: boolean;
  /** Seconds between two looks while there is no socket (and ten times that while there is one). */
  readonly pollSeconds?: number;
  /** How the socket is opened: socket.io-client's `io`, unless another is given. */
  readonly io?: OpenSocket;
  readonly browser?: Browser;
}

const POLL_SECONDS = 3;
const HIDDEN_FACTOR = 10; // nobody looks: look that much less often
const RETRY_MAX = 30_000; // milliseconds
const FETCHED_ONE_BY_ONE = 20; // items that a change spoke of and that are not held

export class Inbox {
  /** Whose inbox this is, as the token says; null until there is one. */
  sub: string | null = null;

  readonly #options: Options;
  readonly #tokens: Tokens;
  readonly #api: Api;
  readonly #replica = new Replica();
  readonly #pending = new Pending();
  readonly #listeners = new Set<(state: State) => void>();
  readonly #arrivals = new Set<(items: readonly Item[]) => void>();
  readonly #loading = new Map<View, Promise<void>>();
  readonly #wanted = new Set<View>(["all"]);
  readonly #stop = new AbortController();
  #tabs: Tabs | null = null;
  #link: Link | null = null;
  #live: boolean | null = null; // null: not known yet
  #paused = false;
  #current = false; // what is held was the present when last looked at
  #problem: BelfryError | null = null;
  #expiresAt: string | null = null;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #following: Promise<void> | null = null;
  #askedAgain = false;
  #lastAct: Promise<unknown> = Promise.resolve();
  #state: State | null = null;
  #telling = false;

  /** Throws a `BelfryError` for options that cannot work. */
  constructor(options: Options) {
    this.#options = options;
    this.#tokens = new Tokens(options.token, options.getToken);
    this.#api = new Api(options.api, this.#tokens);
    if (options.token) this.sub = claimsOf(options.token).sub;
    this.#listenToThePage();
    void this.#begin();
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
      loading:
        this.#loading.has(view) || (view === "all" && this.#following !== null && this.#replica.version === null),
      begun: this.#replica.version !== null && this.#replica.isBegun(view),
    };
  }

  /** Hold one page more of a view: its first one the first time. Rejects with a `BelfryError`. */
  loadMore(view: View = "all"): Promise<void> {
    this.#wanted.add(view);
    const under = this.#loading.get(view);
    if (under || !this.#replica.hasMore(view)) return under ?? Promise.resolve();
    const page = this.#loadPage(view).finally(() => {
      this.#loading.delete(view);
      this.#changed();
    });
    this.#loading.set(view, page);
    this.#changed();
    return page;
  }

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
    return this.#act("deleted", [seq], null, () => this.#api.remove(seq).then(() => 0));
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

  /** Any call of the API as this person, such as `request("POST", "/v1/follows", {target: "bob"})`. */
  request(method: string, path: string, body?: unknown): Promise<unknown> {
    const done = this.#lastAct.then(() => this.#api.call(method, path, body));
    this.#lastAct = done.catch(() => {});
    return done;
  }

  /** Use this token from now on. Throws a `BelfryError` for one that is none, or that is somebody else's. */
  setToken(token: string): void {
    const { sub } = claimsOf(token);
    if (this.sub !== null && sub !== this.sub) throw new BelfryError("bad_token", "This token is somebody else's.");
    this.#tokens.replace(token);
    this.#problem = null;
    this.#expiresAt = null;
    this.#link?.renewed();
    this.#lookAgain();
  }

  /** Look now, instead of at the next occasion. */
  refresh(): void {
    this.#lookAgain();
  }

  /** Go offline, as a train in a tunnel would: what is held stays, and another tab takes the lead. */
  pause(): void {
    this.#paused = true;
    this.#current = false;
    clearTimeout(this.#timer);
    this.#leaveTabs();
    this.#changed();
  }

  resume(): void {
    if (!this.#paused || this.#stop.signal.aborted) return;
    this.#paused = false;
    this.#joinTabs();
    this.#lookAgain();
  }

  /** End for good. */
  close(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.#leaveTabs();
    this.#listeners.clear();
    this.#arrivals.clear();
  }

  async #begin(): Promise<void> {
    try {
      this.sub ??= claimsOf(await this.#tokens.current()).sub;
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (!this.#paused && !this.#stop.signal.aborted) this.#joinTabs();
    await this.#catchUp();
  }

  #joinTabs(): void {
    const { api, share = true, browser } = this.#options;
    const name = share ? `belfry ${api} ${this.sub}` : null;
    const listener = { lead: () => this.#lead(), hear: (word: Word) => this.#hearTab(word) };
    this.#tabs ??= new Tabs(name, listener, browser);
  }

  #leaveTabs(): void {
    this.#link?.close();
    this.#link = null;
    this.#live = null;
    this.#tabs?.leave();
    this.#tabs = null;
  }

  #lead(): void {
    const { push, io } = this.#options;
    if (!push) {
      this.#becomeLive(false);
      return;
    }
    const listener = {
      connected: () => {
        this.#becomeLive(true);
        void this.#catchUp();
      },
      lost: () => {
        this.#becomeLive(false);
        this.#schedule();
      },
      refused: () => void this.#askWhyRefused(),
      heard: (told: Announcement) => {
        this.#tabs?.tell({ type: "heard", told });
        this.#hear(told);
      },
      sync: () => void this.#catchUp(),
      expiring: (at: string | null) => {
        this.#expiresAt = at;
        this.#changed();
      },
    };
    this.#link = new Link(push, this.#tokens, listener, io);
  }

  /** The API says it more exactly; where it takes the token, the push server alone does not. */
  async #askWhyRefused(): Promise<void> {
    this.#becomeLive(false);
    await this.#catchUp();
    if (this.#problem === null) this.#failed(new BelfryError("token_refused", "The push server refused the token."));
  }

  #becomeLive(live: boolean): void {
    this.#live = live;
    this.#tabs?.tell({ type: "live", live, version: this.#replica.version });
    this.#changed();
  }

  #hearTab(word: Word): void {
    if (word.type === "hello") {
      if (this.#tabs?.leads && this.#live !== null) this.#becomeLive(this.#live);
    } else if (word.type === "live") {
      this.#live = word.live;
      if (word.version !== null && word.version > (this.#replica.version ?? 0)) void this.#catchUp();
      this.#changed();
    } else if (word.type === "heard") {
      this.#hear(word.told);
    } else if (this.#replica.version !== null && word.since <= this.#replica.version && !this.#following) {
      this.#take(word.answer);
    }
  }

  #hear(told: Announcement): void {
    if (this.#following) this.#askedAgain = true; // what is being fetched may have been read before this happened
    const outcome = this.#replica.hear(told);
    if (outcome === "applied") this.#applied([told]);
    else if (outcome !== "known") void this.#catchUp(outcome === "anew");
  }

  /** Calls join: one request is under way at a time. Never rejects: what fails is tried again, and said in `problem`. */
  #catchUp(anew = false): Promise<void> {
    if (anew) this.#replica.version = null;
    this.#askedAgain = true;
    this.#following ??= this.#follow().finally(() => {
      this.#following = null;
      this.#changed();
    });
    return this.#following;
  }

  async #follow(): Promise<void> {
    try {
      while (this.#askedAgain && !this.#paused && !this.#stop.signal.aborted) {
        this.#askedAgain = false;
        const forget = this.#pending.beforeFetch();
        await (this.#replica.version === null ? this.#load() : this.#fetchChanges(this.#replica.version));
        forget();
      }
      this.#succeeded();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #load(): Promise<void> {
    const page = await this.#api.page("all", null);
    this.#replica.load(page);
    this.#changed();
    for (const view of this.#wanted) if (view !== "all") await this.#loadPage(view);
  }

  async #fetchChanges(since: number): Promise<void> {
    const answer = await this.#api.changes(since);
    if (answer && answer.epoch === this.#replica.epoch) this.#tabs?.tell({ type: "fetched", since, answer });
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
    this.#changed();
    const items = changes.flatMap((change) => (change.change === "added" ? [change.item] : []));
    if (items.length > 0) for (const listener of this.#arrivals) listener(items);
    void this.#fetchMissing().catch((error: unknown) => this.#failed(error));
  }

  async #fetchMissing(): Promise<void> {
    const { missing, version } = this.#replica;
    const seqs = [...missing];
    missing.clear();
    if (seqs.length > FETCHED_ONE_BY_ONE) return this.#catchUp(true);
    for (const seq of seqs) {
      const item = await this.#api.item(seq).catch((error: BelfryError) => {
        if (error.status === 404) return null;
        throw error;
      });
      if (item) this.#replica.holdOne(item, version ?? 0);
      this.#changed();
    }
    for (const view of this.#wanted)
      if (this.#replica.version !== null && !this.#replica.isBegun(view)) await this.loadMore(view);
  }

  async #loadPage(view: View): Promise<void> {
    for (let tries = 0; tries < 3; tries += 1) {
      const request = this.#replica.next(view);
      const page = await this.#api.page(view, request.cursor);
      if (page.epoch !== this.#replica.epoch) return this.#catchUp(true);
      if (this.#replica.hold(request, page)) break;
    }
    this.#changed();
  }

  #mark(change: StateName, mark: Mark, seqs: number[]): Promise<void> {
    return this.#act(change, seqs, null, async () => (await this.#api.mark(mark, { seqs })).version);
  }

  #markAll(change: StateName, mark: Mark): Promise<void> {
    const through = this.#replica.version ?? 0;
    if (through === 0) return Promise.resolve();
    return this.#act(change, null, through, async () => (await this.#api.mark(mark, { through })).version);
  }

  #patch(change: StateName, seq: number, state: Patch): Promise<void> {
    return this.#act(change, [seq], null, async () => (await this.#api.patch(seq, state)).version);
  }

  /** Shown at once, and asked for after all that was asked for before; taken back, and rejected, when it is refused. */
  async #act(
    change: StateName,
    seqs: readonly number[] | null,
    through: number | null,
    call: () => Promise<number>,
  ): Promise<void> {
    const handle = this.#pending.add({ change, seqs, through });
    this.#changed();
    const done = this.#lastAct.then(() => {
      if (this.#paused) throw new BelfryError("unreachable", "This device is offline.");
      return call();
    });
    this.#lastAct = done.catch(() => {});
    try {
      handle.settle(await done);
    } catch (error) {
      handle.undo();
      this.#changed();
      void this.#catchUp(); // whether it was done before the connection broke is known there only
      throw error;
    }
    if (this.#replica.version !== null) this.#pending.arrived(this.#replica.version);
    if (this.#pending.awaits(this.#replica.version)) void this.#catchUp();
    this.#changed();
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#current = !this.#paused && this.#replica.version !== null;
    this.#problem = null;
    this.#schedule();
    this.#changed();
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#problem = error instanceof BelfryError ? error : new BelfryError("incompatible", String(error));
    this.#current = false;
    this.#failures += 1;
    this.#schedule();
    this.#changed();
    if (!(error instanceof BelfryError)) throw error;
  }

  /** Look again later: soon while there is no socket, later and later while nobody answers. */
  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#paused || this.#stop.signal.aborted || (this.#problem && !this.#problem.passing)) return;
    const base = (this.#options.pollSeconds ?? POLL_SECONDS) * 1_000;
    const watched = typeof document !== "object" || document.visibilityState === "visible";
    const wait = this.#failures
      ? Math.min(RETRY_MAX, 1_000 * 2 ** (this.#failures - 1))
      : base * (this.#live ? 10 : 1) * (watched ? 1 : HIDDEN_FACTOR);
    this.#timer = setTimeout(() => void this.#poll(), wait * (0.75 + Math.random() / 2));
  }

  async #poll(): Promise<void> {
    if (this.sub === null) return this.#begin();
    if (this.#failures > 0 || this.#replica.version === null) return this.#catchUp();
    try {
      const counts = await this.#api.summary();
      const { version, epoch } = this.#replica;
      if (counts && (counts.version !== version || counts.epoch !== epoch)) return await this.#catchUp();
      this.#succeeded();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** At once, and with a fresh count of failures. */
  #lookAgain(): void {
    if (this.#paused || this.#stop.signal.aborted) return;
    if (this.#problem && !this.#problem.passing) return;
    this.#failures = 0;
    this.#link?.hurry();
    void (this.sub === null ? this.#begin() : this.#catchUp());
  }

  #listenToThePage(): void {
    if (typeof document !== "object") return;
    const { signal } = this.#stop;
    const watch = (): void => {
      if (document.visibilityState === "visible") this.#lookAgain();
    };
    document.addEventListener("visibilitychange", watch, { signal });
    addEventListener("online", () => this.#lookAgain(), { signal });
    addEventListener("offline", () => this.#changed(), { signal });
  }

  #status(): Status {
    if (this.#problem && !this.#problem.passing) return "refused";
    const noNetwork = typeof navigator === "object" && navigator.onLine === false;
    if (this.#paused || noNetwork || this.#problem) return "offline";
    if (!this.#current || this.#live === null) return "syncing";
    return this.#live ? "online" : "polling";
  }

  #look(): State {
    const { version, epoch } = this.#replica;
    return {
      status: this.#status(),
      problem: this.#problem,
      items: this.#replica.list("all", this.#pending.look),
      ...this.#pending.counts(this.#replica, this.#replica.held()),
      version,
      epoch,
      expiresAt: this.#expiresAt,
      leads: this.#tabs?.leads ?? false,
    };
  }

  /** Listeners are told once, however much happens at one moment. */
  #changed(): void {
    this.#state = null;
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      for (const listener of this.#listeners) listener(this.state);
    });
  }
}
