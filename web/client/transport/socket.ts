/** The Socket.IO connection to the push server. What it loses, the version gap reveals. */

import { io } from "socket.io-client";
import { Emitter } from "../emitter.ts";
import { BelfryError } from "../errors.ts";
import type { Announcement } from "../types.ts";
import { socketOf } from "./addresses.ts";
import { Liveness } from "./liveness.ts";
import type { Tokens } from "./tokens.ts";

/** The part of socket.io-client's socket that is used here. */
export interface ClientSocket {
  /** Whether it is connected, or reconnects by itself. */
  readonly active: boolean;
  on(event: string, handler: (payload: never) => void): unknown;
  emit(event: string, payload: unknown, acknowledged: (answer: { ok: boolean }) => void): unknown;
  connect(): unknown;
  disconnect(): unknown;
  /** Its manager, which reports the server's pings. */
  readonly io?: { on(event: "ping", handler: () => void): unknown };
}

export type OpenSocket = (url: string, options: object) => ClientSocket;

const RETRY = 1_000; // milliseconds before a reconnection, doubled with each failure
const RETRY_MAX = 30_000;

export interface SocketEvents {
  connected: void;
  /** The liveness check is late; `alive` or `lost` follows. */
  unsure: void;
  alive: void;
  /** It is disconnected, and reconnects by itself. With an error, it could not connect. */
  lost: BelfryError | null;
  /** The server rejects the token. */
  rejected: void;
  announced: Announcement;
  /** Changes may have been missed. */
  sync: void;
  /** The token expires then, and nothing renews it; null once it is replaced. */
  expiring: string | null;
}

/** Connected from its construction to `close()`. After a loss it reconnects, at a random moment. */
export class PushSocket extends Emitter<SocketEvents> {
  readonly #push: string;
  readonly #tokens: Tokens;
  readonly #socket: ClientSocket;
  readonly #liveness: Liveness;
  #connected = false;
  #waits = false; // for the next attempt, after a loss
  #attempts = 0;
  #renewed = false;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(push: string, tokens: Tokens, open: OpenSocket = io as unknown as OpenSocket) {
    super();
    this.#push = push;
    this.#tokens = tokens;
    const auth = (give: (auth: object) => void): void => void this.#authenticate(give);
    const retries = { reconnectionDelay: RETRY, reconnectionDelayMax: RETRY_MAX, randomizationFactor: 0.5 };
    const { url, path } = socketOf(push);
    this.#socket = open(url, { path, auth, ...retries, transports: ["websocket"], forceNew: true });
    this.#liveness = new Liveness(this.#socket);
    this.#liveness.on("unsure", () => this.emit("unsure"));
    this.#liveness.on("alive", () => this.emit("alive"));
    this.#liveness.on("dead", () => this.#reconnect());
    this.#listen();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.disconnect();
    this.#liveness.stop();
  }

  /** Send the new token, or reconnect with it. */
  tokenReplaced(): void {
    this.#renewed = false;
    if (this.#socket.active) void this.#sendToken();
    else this.#socket.connect();
  }

  /** Check whether the connection is alive; without one, connect now instead of later. */
  check(): void {
    if (this.#closed) return;
    if (this.#connected) this.#liveness.check();
    else if (this.#waits || !this.#socket.active) this.#reconnect();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.io?.on("ping", () => this.#liveness.heard());
    socket.on("connect", () => this.#onConnect());
    for (const event of ["notification", "inbox"]) socket.on(event, (change: Announcement) => this.#receive(change));
    socket.on("sync", () => this.emit("sync"));
    socket.on("token_expiring", ({ expires_at }: { expires_at: string }) => {
      if (this.#tokens.renews) void this.#renew();
      else this.emit("expiring", expires_at);
    });
    socket.on("connect_error", (error: Error & { data?: { code?: string } }) => {
      if (error.data?.code === "unauthorized") void this.#tryAnotherToken();
      else this.#retry(this.#connectError(error.data?.code));
    });
    socket.on("disconnect", () => this.#retry());
  }

  #onConnect(): void {
    this.#connected = true;
    this.#waits = this.#renewed = false;
    this.#attempts = 0;
    this.emit("connected");
    this.#liveness.connected();
  }

  #receive(announcement: Announcement): void {
    this.#liveness.heard();
    this.emit("announced", announcement);
  }

  /** Replace a connection that is dead, or that waits for its next attempt. */
  #reconnect(): void {
    this.#socket.disconnect(); // emits `disconnect` if it was connected
    clearTimeout(this.#timer);
    this.#waits = false;
    this.#socket.connect();
  }

  async #authenticate(give: (auth: object) => void): Promise<void> {
    const token = await this.#tokens.current().catch(() => null);
    if (token !== null) return give({ token });
    this.#socket.disconnect();
    this.#retry();
  }

  async #tryAnotherToken(): Promise<void> {
    if (this.#closed) return;
    if (!this.#tokens.renews || this.#renewed) {
      this.emit("rejected");
      if (this.#tokens.renews) this.#retry();
      return;
    }
    this.#renewed = true;
    await this.#tokens.renew().catch(() => {});
    if (!this.#closed) this.#socket.connect();
  }

  /** If no token is to be had, the server disconnects when the old one expires, and `#authenticate` asks again. */
  async #renew(): Promise<void> {
    await this.#tokens.renew().then(
      () => this.#sendToken(),
      () => {},
    );
  }

  async #sendToken(): Promise<void> {
    const token = await this.#tokens.current();
    this.#socket.emit("authenticate", { token }, (answer: { ok: boolean }) => {
      if (answer.ok) this.emit("expiring", null);
    });
  }

  /** The push server sends a code. A browser does not say why a connection failed. */
  #connectError(code: string | undefined): BelfryError {
    return code
      ? new BelfryError("push_refused", `${this.#push} refuses the live connection for now: ${code}.`)
      : new BelfryError("push_unreachable", `There is no live connection to ${this.#push}.`);
  }

  /** Socket.IO reconnects by itself, unless the server disconnected or refused the client. */
  #retry(problem: BelfryError | null = null): void {
    if (this.#closed) return;
    this.#connected = false;
    this.#waits = true;
    this.#liveness.stop();
    this.emit("lost", problem);
    if (this.#socket.active) return;
    clearTimeout(this.#timer);
    const delay = Math.min(RETRY_MAX, RETRY * 2 ** this.#attempts++) * (0.5 + Math.random());
    this.#timer = setTimeout(() => this.#closed || this.#socket.connect(), delay);
  }
}
