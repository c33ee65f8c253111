/** The connection to the server: start, retry, pause, resume, close. */

import { BelfryError } from "../errors.ts";
import type { Options } from "../options.ts";
import type { Store } from "../state/store.ts";
import { Api } from "../transport/api.ts";
import { claimsOf, Tokens } from "../transport/tokens.ts";
import { Poller } from "./poller.ts";
import { Realtime } from "./realtime.ts";
import { Synchronizer } from "./synchronizer.ts";

export class Connection {
  readonly api: Api;
  readonly synchronizer: Synchronizer;
  readonly #store: Store;
  readonly #tokens: Tokens;
  readonly #realtime: Realtime;
  readonly #poller: Poller;

  /** Throws a `BelfryError` for options that cannot work. */
  constructor(options: Options, store: Store) {
    this.#store = store;
    this.#tokens = new Tokens(options.token, options.getToken);
    this.api = new Api(options.api, this.#tokens);
    if (options.token) store.update({ sub: claimsOf(options.token).sub });
    this.synchronizer = new Synchronizer(this.api, store);
    this.#realtime = new Realtime(options, this.#tokens, store);
    this.#poller = new Poller(options.pollSeconds, store);
    store.on("pollDue", () => void (store.values.sub === null ? this.start() : this.synchronizer.poll()));
    store.on("resumed", () => this.refresh());
    store.on("tokenRejected", () => void this.#explainRejection());
  }

  async start(): Promise<void> {
    const sub = this.#store.values.sub ?? (await this.#readSub());
    if (sub === null) return;
    if (this.#store.isActive) this.#realtime.start(sub);
    await this.synchronizer.catchUp();
  }

  /** Throws a `BelfryError` for a malformed token and for another user's. */
  setToken(token: string): void {
    const { sub } = claimsOf(token);
    const mine = this.#store.values.sub;
    if (mine !== null && sub !== mine) throw new BelfryError("bad_token", "This token is somebody else's.");
    this.#tokens.replace(token);
    this.#store.update({ problem: null });
    this.#realtime.tokenReplaced();
    this.refresh();
  }

  /** Catch up now, and count failures from zero. */
  refresh(): void {
    const store = this.#store;
    if (!store.isActive || !store.canRetry) return;
    store.update({ failures: 0 });
    this.#realtime.check();
    void (store.values.sub === null ? this.start() : this.synchronizer.catchUp());
  }

  pause(): void {
    this.#store.update({ paused: true, current: false });
    this.#poller.stop();
    this.#realtime.stop();
  }

  resume(): void {
    const { paused, closed, sub } = this.#store.values;
    if (!paused || closed) return;
    this.#store.update({ paused: false });
    if (sub !== null) this.#realtime.start(sub);
    this.refresh();
  }

  close(): void {
    this.#store.update({ closed: true });
    this.#poller.close();
    this.#realtime.stop();
  }

  /** The user's id in the current token. Null, and a failure in the store, if there is no usable token. */
  async #readSub(): Promise<string | null> {
    try {
      const { sub } = claimsOf(await this.#tokens.current());
      this.#store.update({ sub });
      return sub;
    } catch (error) {
      if (!(error instanceof BelfryError)) throw error;
      this.#store.failed(error);
      return null;
    }
  }

  /** The API gives the exact reason. If it accepts the token, only the push server rejects it. */
  async #explainRejection(): Promise<void> {
    await this.synchronizer.catchUp();
    if (this.#store.values.problem === null)
      this.#store.failed(new BelfryError("token_refused", "The push server refused the token."));
  }
}
