/** The connection to the server as a whole: begun, looked after, tried again, paused, ended. */

import { Api } from "../transport/api.ts";
import { BelfryError } from "../errors.ts";
import { Follower } from "./synchronizer.ts";
import { Live } from "./realtime.ts";
import type { Pending } from "../state/pending.ts";
import { Pulse } from "./poller.ts";
import type { Replica } from "../state/replica.ts";
import type { Options, Status } from "../state/state.ts";
import { claimsOf, Tokens } from "../transport/tokens.ts";
import type { Item } from "../types.ts";

export interface ConnectionListener {
  arrived(items: readonly Item[]): void;
  /** The API answered, and what is held is the present. */
  answered(): void;
  /** How often it was tried in vain to tell the server what waits. */
  failures(): number;
  changed(): void;
}

export class Connection {
  readonly api: Api;
  readonly follower: Follower;
  readonly live: Live;
  /** Whose inbox this is, as the token says; null until there is one. */
  sub: string | null = null;
  /** Why the last look failed. */
  problem: BelfryError | null = null;
  readonly #tokens: Tokens;
  readonly #pulse: Pulse;
  readonly #listener: ConnectionListener;
  #failures = 0;
  /** The browser says that there is no network, and nothing has contradicted it since: some browsers are wrong. */
  #unplugged = false;
  #paused = false;
  #closed = false;

  /** Throws a `BelfryError` for options that cannot work. */
  constructor(options: Options, replica: Replica, pending: Pending, listener: ConnectionListener) {
    const { arrived, changed } = listener;
    this.#listener = listener;
    this.#tokens = new Tokens(options.token, options.getToken);
    this.api = new Api(options.api, this.#tokens);
    if (options.token) this.sub = claimsOf(options.token).sub;
    this.follower = new Follower(this.api, replica, pending, {
      isActive: () => this.#isActive(),
      arrived,
      fetched: (since, answer) => this.live.pass(since, answer),
      succeeded: () => this.#succeeded(),
      failed: (problem) => this.#failed(problem),
      changed,
    });
    this.live = new Live(options, this.#tokens, {
      version: () => replica.version,
      heard: (told) => this.follower.hear(told),
      fetched: (since, answer) => this.follower.overhear(since, answer),
      missed: () => void this.follower.catchUp(),
      refused: () => void this.#askWhyRefused(),
      changed: () => {
        this.schedule();
        changed();
      },
    });
    this.#pulse = new Pulse(options.pollSeconds, {
      look: () => void (this.sub === null ? this.begin() : this.follower.look()),
      hurry: () => this.refresh(),
      back: () => {
        this.#unplugged = false;
        this.refresh();
      },
      gone: () => {
        this.#unplugged = true;
        changed();
      },
    });
  }

  get status(): Status {
    if (this.problem && !this.problem.passing) return "refused";
    if (this.#paused || this.#unplugged || this.problem) return "offline";
    if (!this.follower.current || this.live.told === null) return "syncing";
    return this.live.told ? "online" : "polling";
  }

  /** Whether the server can be told something now. */
  get isReady(): boolean {
    return this.#isActive() && !this.#unplugged && this.problem === null;
  }

  async begin(): Promise<void> {
    try {
      this.sub ??= claimsOf(await this.#tokens.current()).sub;
    } catch (error) {
      if (!(error instanceof BelfryError)) throw error;
      this.#failed(error);
      return;
    }
    if (this.#isActive()) this.live.join(this.sub);
    await this.follower.catchUp();
  }

  /** Throws a `BelfryError` for a token that is none, or that is somebody else's. */
  setToken(token: string): void {
    const { sub } = claimsOf(token);
    if (this.sub !== null && sub !== this.sub) throw new BelfryError("bad_token", "This token is somebody else's.");
    this.#tokens.replace(token);
    this.problem = null;
    this.live.renewed();
    this.refresh();
  }

  /** Look now, with a fresh count of failures. */
  refresh(): void {
    if (!this.#isActive() || !this.#isHopeful()) return;
    this.#failures = 0;
    this.live.hurry();
    void (this.sub === null ? this.begin() : this.follower.catchUp());
  }

  pause(): void {
    this.#paused = true;
    this.follower.current = false;
    this.#pulse.rest();
    this.live.leave();
    this.#listener.changed();
  }

  resume(): void {
    if (!this.#paused || this.#closed) return;
    this.#paused = false;
    if (this.sub !== null) this.live.join(this.sub);
    this.refresh();
  }

  close(): void {
    this.#closed = true;
    this.#pulse.end();
    this.live.leave();
  }

  /** Look in a while, if that may help. */
  schedule(): void {
    if (!this.#isActive() || !this.#isHopeful()) this.#pulse.rest();
    else this.#pulse.next(this.#failures || this.#listener.failures(), this.live.told === true);
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#unplugged = false;
    this.problem = null;
    this.#listener.answered();
    this.schedule();
    this.#listener.changed();
  }

  #failed(problem: BelfryError): void {
    if (this.#closed) return;
    this.problem = problem;
    this.#failures += 1;
    this.schedule();
    this.#listener.changed();
  }

  /** The API says it more exactly; where it takes the token, the push server alone does not. */
  async #askWhyRefused(): Promise<void> {
    await this.follower.catchUp();
    if (this.problem === null) this.#failed(new BelfryError("token_refused", "The push server refused the token."));
  }

  #isActive(): boolean {
    return !this.#paused && !this.#closed;
  }

  /** Not where somebody has to give something else first. */
  #isHopeful(): boolean {
    return this.problem === null || this.problem.passing || this.#tokens.renews;
  }
}
