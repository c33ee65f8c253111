/** Who tells this tab what happens: its own socket where it leads the tabs of its browser, else the tab that leads. */

import { BelfryError } from "../errors.ts";
import { Link } from "../transport/socket.ts";
import type { Options } from "../state/state.ts";
import { Tabs, type Word } from "../tabs/tabs.ts";
import type { Tokens } from "../transport/tokens.ts";
import type { Announcement, Changes } from "../types.ts";

export interface LiveListener {
  /** The version that this tab holds. */
  version(): number | null;
  heard(told: Announcement): void;
  /** Another tab asked for this. */
  fetched(since: number, answer: Changes): void;
  /** Something may have been missed. */
  missed(): void;
  /** The push server takes no token of ours. */
  refused(): void;
  changed(): void;
}

export class Live {
  /** Whether what happens is told at once; null: not known yet. */
  told: boolean | null = null;
  /** Why there is no socket although there is an address for one. */
  problem: BelfryError | null = null;
  /** When the token ends, once that is near and nothing renews it. */
  expiresAt: string | null = null;
  readonly #options: Options;
  readonly #tokens: Tokens;
  readonly #listener: LiveListener;
  #tabs: Tabs | null = null;
  #link: Link | null = null;

  constructor(options: Options, tokens: Tokens, listener: LiveListener) {
    this.#options = options;
    this.#tokens = tokens;
    this.#listener = listener;
  }

  /** Whether this tab holds the socket. */
  get leads(): boolean {
    return this.#tabs?.leads ?? false;
  }

  /** Be told what happens in this person's inbox. */
  join(sub: string): void {
    const { api, share = true, browser } = this.#options;
    const listener = {
      lead: () => this.#lead(),
      follow: () => this.#follow(),
      hear: (word: Word) => this.#hear(word),
    };
    this.#tabs ??= new Tabs(share ? `belfry ${api} ${sub}` : null, listener, browser);
  }

  /** Hear nothing any more; another tab takes the lead. */
  leave(): void {
    this.#link?.close();
    this.#link = null;
    this.#tabs?.leave();
    this.#tabs = null;
    this.told = this.problem = null;
  }

  /** Spare the other tabs asking for the same. */
  pass(since: number, answer: Changes): void {
    this.#tabs?.tell({ type: "fetched", since, answer });
  }

  /** There is a new token. */
  renewed(): void {
    this.expiresAt = null;
    this.#link?.renewed();
  }

  /** Somebody is back: see to it, here or in the tab that leads, that the socket is alive or tried now. */
  hurry(): void {
    if (this.leads) this.#link?.hurry();
    else this.#tabs?.tell({ type: "hello", check: true });
  }

  #lead(): void {
    const { push, io } = this.#options;
    if (!push) {
      this.#turn(false);
      return;
    }
    this.#turn(null);
    const listener = {
      connected: () => {
        this.#turn(true);
        this.#listener.missed();
      },
      unsure: () => this.#turn(null),
      alive: () => this.#turn(true),
      lost: (problem: BelfryError | null) => this.#turn(false, problem),
      refused: () => {
        this.#turn(false);
        this.#listener.refused();
      },
      heard: (told: Announcement) => {
        this.#tabs?.tell({ type: "heard", told });
        this.#listener.heard(told);
      },
      sync: () => this.#listener.missed(),
      expiring: (at: string | null) => {
        this.expiresAt = at;
        this.#listener.changed();
      },
    };
    try {
      this.#link = new Link(push, this.#tokens, listener, io);
    } catch (error) {
      if (!(error instanceof BelfryError)) throw error;
      this.#turn(false, error); // without a socket it polls
    }
  }

  /** Another tab leads: it tells what happens. */
  #follow(): void {
    this.#link?.close();
    this.#link = null;
    this.told = this.problem = null;
    this.#listener.changed();
  }

  #turn(told: boolean | null, problem: BelfryError | null = null): void {
    const same = this.told === told && this.problem === problem;
    this.told = told;
    this.problem = problem;
    this.#answer();
    if (!same) this.#listener.changed();
  }

  /** Tell the other tabs how it stands. */
  #answer(): void {
    this.#tabs?.tell({ type: "live", live: this.told, version: this.#listener.version() });
  }

  #hear(word: Word): void {
    if (word.type === "hello") {
      if (!this.leads) return;
      this.#answer();
      if (word.check) this.#link?.hurry();
    } else if (word.type === "live") {
      this.#take(word.live, word.version);
    } else if (word.type === "heard") {
      this.#listener.heard(word.told);
    } else {
      this.#listener.fetched(word.since, word.answer);
    }
  }

  /** A tab that leads says how it stands. */
  #take(live: boolean | null, version: number | null): void {
    const before = this.told;
    if (!this.leads) this.told = live;
    if (version !== null && version > (this.#listener.version() ?? 0)) this.#listener.missed();
    if (this.told !== before) this.#listener.changed();
  }
}
