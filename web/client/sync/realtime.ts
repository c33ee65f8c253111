/** Receives changes in real time: over a socket if this tab leads the browser's tabs, else from the tab that leads. */

import { BelfryError } from "../errors.ts";
import type { Options } from "../options.ts";
import type { Store } from "../state/store.ts";
import { type TabMessage, Tabs } from "../tabs/tabs.ts";
import { PushSocket } from "../transport/socket.ts";
import type { Tokens } from "../transport/tokens.ts";

export class Realtime {
  readonly #options: Options;
  readonly #tokens: Tokens;
  readonly #store: Store;
  #tabs: Tabs | null = null;
  #socket: PushSocket | null = null;

  constructor(options: Options, tokens: Tokens, store: Store) {
    this.#options = options;
    this.#tokens = tokens;
    this.#store = store;
    store.on("fetched", (fetched) => this.#tabs?.send({ type: "fetched", ...fetched })); // the others need not fetch it
  }

  /** Receive the changes of this user's inbox. */
  start(sub: string): void {
    if (this.#tabs) return;
    const { api, share = true, browser } = this.#options;
    const tabs = new Tabs(share ? `belfry ${api} ${sub}` : null, browser);
    tabs.on("lead", () => this.#lead());
    tabs.on("follow", () => this.#follow());
    tabs.on("message", (message) => this.#receive(message));
    this.#tabs = tabs;
  }

  /** Receive nothing any more; another tab takes the lead. */
  stop(): void {
    this.#closeSocket();
    this.#tabs?.leave();
    this.#tabs = null;
    this.#store.update({ leads: false, live: null, pushProblem: null });
  }

  tokenReplaced(): void {
    this.#store.update({ expiresAt: null });
    this.#socket?.tokenReplaced();
  }

  /** The user or the network is back: check the socket, in this tab or in the one that leads, or connect it at once. */
  check(): void {
    if (this.#tabs?.leads) this.#socket?.check();
    else this.#tabs?.send({ type: "hello", check: true });
  }

  #lead(): void {
    const { push, io } = this.#options;
    this.#store.update({ leads: true });
    this.#setLive(push ? null : false);
    if (!push) return;
    try {
      this.#socket = new PushSocket(push, this.#tokens, io);
      this.#listen(this.#socket);
    } catch (error) {
      if (!(error instanceof BelfryError)) throw error;
      this.#setLive(false, error); // the inbox polls
    }
  }

  #listen(socket: PushSocket): void {
    const store = this.#store;
    socket.on("connected", () => {
      this.#setLive(true);
      store.emit("stale");
    });
    socket.on("unsure", () => this.#setLive(null));
    socket.on("alive", () => this.#setLive(true));
    socket.on("lost", (problem) => this.#setLive(false, problem));
    socket.on("rejected", () => {
      this.#setLive(false);
      store.emit("tokenRejected");
    });
    socket.on("announced", (announcement) => {
      this.#tabs?.send({ type: "heard", told: announcement });
      store.emit("announced", announcement);
    });
    socket.on("sync", () => store.emit("stale"));
    socket.on("expiring", (expiresAt) => {
      store.update({ expiresAt });
      store.emit("realtime");
    });
  }

  /** Another tab has taken the lead. */
  #follow(): void {
    this.#closeSocket();
    this.#store.update({ leads: false, live: null, pushProblem: null });
    this.#store.emit("realtime");
  }

  #closeSocket(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  #setLive(live: boolean | null, pushProblem: BelfryError | null = null): void {
    const { values } = this.#store;
    const differs = values.live !== live || values.pushProblem !== pushProblem;
    if (differs) this.#store.update({ live, pushProblem });
    this.#sendStatus();
    if (differs) this.#store.emit("realtime");
  }

  /** Tell the other tabs whether the socket is connected. */
  #sendStatus(): void {
    this.#tabs?.send({ type: "live", live: this.#store.values.live, version: this.#store.replica.version });
  }

  #receive(message: TabMessage): void {
    const store = this.#store;
    if (message.type === "hello") {
      if (!this.#tabs?.leads) return;
      this.#sendStatus();
      if (message.check) this.#socket?.check();
    } else if (message.type === "live") {
      this.#receiveStatus(message.live, message.version);
    } else if (message.type === "heard") {
      store.emit("announced", message.told);
    } else if (message.type === "fetched") {
      store.emit("shared", message);
    }
  }

  /** The status of the tab that leads. */
  #receiveStatus(live: boolean | null, version: number | null): void {
    const store = this.#store;
    const differs = !this.#tabs?.leads && store.values.live !== live;
    if (differs) store.update({ live });
    if (version !== null && version > (store.replica.version ?? 0)) store.emit("stale");
    if (differs) store.emit("realtime");
  }
}
