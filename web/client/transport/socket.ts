/** The socket: hints of what changed. What it loses, the rule finds. */

import { io } from "socket.io-client";
import { socketOf } from "./addresses.ts";
import { BelfryError } from "../errors.ts";
import { Liveness } from "./liveness.ts";
import type { Tokens } from "./tokens.ts";
import type { Announcement } from "../types.ts";

/** Of socket.io-client's socket, what is used here. */
export interface ClientSocket {
  /** Whether it is connected, or tries to be by itself. */
  readonly active: boolean;
  on(event: string, handler: (told: never) => void): unknown;
  emit(event: string, payload: unknown, acknowledged: (answer: { ok: boolean }) => void): unknown;
  connect(): unknown;
  disconnect(): unknown;
  /** Its manager, whose `ping` says that the server sent one. */
  readonly io?: { on(event: "ping", handler: () => void): unknown };
}

export type OpenSocket = (url: string, options: object) => ClientSocket;

const SOON = 1_000; // milliseconds before it is tried again
const LATE = 30_000;

export interface SocketListener {
  connected(): void;
  /** Whether it is still alive is being asked, and the answer is late: `lost` or `alive` follows. */
  unsure(): void;
  alive(): void;
  /** It is tried again by itself; `problem` says why it did not even connect. */
  lost(problem: BelfryError | null): void;
  /** The server takes no token of ours. */
  refused(): void;
  heard(told: Announcement): void;
  /** Something may have been missed. */
  sync(): void;
  expiring(at: string | null): void;
}

/** Connected from its making to `close()`, with pauses; after one it comes back at a moment of its own. */
export class Link {
  readonly #push: string;
  readonly #tokens: Tokens;
  readonly #listener: SocketListener;
  readonly #socket: ClientSocket;
  readonly #liveness: Liveness;
  #connected = false;
  #waits = false; // it failed, and is tried again by itself
  #attempts = 0;
  #renewed = false;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(push: string, tokens: Tokens, listener: SocketListener, open: OpenSocket = io as unknown as OpenSocket) {
    this.#push = push;
    this.#tokens = tokens;
    this.#listener = listener;
    const auth = (give: (auth: object) => void): void => void this.#authenticate(give);
    const pace = { reconnectionDelay: SOON, reconnectionDelayMax: LATE, randomizationFactor: 0.5 };
    const { url, path } = socketOf(push);
    this.#socket = open(url, { path, auth, ...pace, transports: ["websocket"], forceNew: true });
    const { unsure, alive } = listener;
    this.#liveness = new Liveness(this.#socket, { unsure, alive, dead: () => this.#reconnect() });
    this.#listen();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.disconnect();
    this.#liveness.stop();
  }

  /** There is a new token: show it, or try again with it. */
  renewed(): void {
    this.#renewed = false;
    if (this.#socket.active) void this.#show();
    else this.#socket.connect();
  }

  /** Somebody is back: find out whether the connection is alive, or connect now instead of later. */
  hurry(): void {
    if (this.#closed) return;
    if (this.#connected) this.#liveness.check();
    else if (this.#waits || !this.#socket.active) this.#reconnect();
  }

  #listen(): void {
    const socket = this.#socket;
    const listener = this.#listener;
    socket.io?.on("ping", () => this.#liveness.heard());
    socket.on("connect", () => {
      this.#connected = true;
      this.#waits = this.#renewed = false;
      this.#attempts = 0;
      listener.connected();
      this.#liveness.connected();
    });
    for (const event of ["notification", "inbox"]) socket.on(event, (told: Announcement) => this.#hear(told));
    socket.on("sync", () => listener.sync());
    socket.on("token_expiring", (told: { expires_at: string }) => {
      if (this.#tokens.renews) void this.#renew();
      else listener.expiring(told.expires_at);
    });
    socket.on("connect_error", (error: Error & { data?: { code?: string } }) => {
      if (error.data?.code === "unauthorized") void this.#tryAnotherToken();
      else this.#again(this.#whyNotConnected(error.data?.code));
    });
    socket.on("disconnect", () => this.#again());
  }

  #hear(told: Announcement): void {
    this.#liveness.heard();
    this.#listener.heard(told);
  }

  /** Leave a connection that is dead, or that is tried again only later. */
  #reconnect(): void {
    this.#socket.disconnect(); // says so, where it was connected
    clearTimeout(this.#timer);
    this.#waits = false;
    this.#socket.connect();
  }

  async #authenticate(give: (auth: object) => void): Promise<void> {
    const token = await this.#tokens.current().catch(() => null);
    if (token !== null) return give({ token });
    this.#socket.disconnect();
    this.#again();
  }

  async #tryAnotherToken(): Promise<void> {
    if (this.#closed) return;
    if (!this.#tokens.renews || this.#renewed) {
      this.#listener.refused();
      if (this.#tokens.renews) this.#again();
      return;
    }
    this.#renewed = true;
    await this.#tokens.renew().catch(() => {});
    if (!this.#closed) this.#socket.connect();
  }

  async #renew(): Promise<void> {
    await this.#tokens.renew().then(
      () => this.#show(),
      () => {},
    ); // at its end the server hangs up, and it is asked again
  }

  async #show(): Promise<void> {
    const token = await this.#tokens.current();
    this.#socket.emit("authenticate", { token }, (answer: { ok: boolean }) => {
      if (answer.ok) this.#listener.expiring(null);
    });
  }

  /** A push server that answers says a code; a browser does not say why nothing was answered. */
  #whyNotConnected(code: string | undefined): BelfryError {
    return code
      ? new BelfryError("push_refused", `${this.#push} refuses the live connection for now: ${code}.`)
      : new BelfryError("push_unreachable", `There is no live connection to ${this.#push}.`);
  }

  /** Socket.IO comes back by itself, but for where the server hung up or refused. */
  #again(problem: BelfryError | null = null): void {
    if (this.#closed) return;
    this.#connected = false;
    this.#waits = true;
    this.#liveness.stop();
    this.#listener.lost(problem);
    if (this.#socket.active) return;
    clearTimeout(this.#timer);
    const delay = Math.min(LATE, SOON * 2 ** this.#attempts++) * (0.5 + Math.random());
    this.#timer = setTimeout(() => this.#closed || this.#socket.connect(), delay);
  }
}
