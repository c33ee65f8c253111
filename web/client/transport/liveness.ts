/** Checks by an acknowledged `ping` whether the socket is alive: a socket can die without a close event. */

import { Emitter } from "../emitter.ts";

const UNSURE_AFTER = 1_000; // milliseconds without an acknowledgement
const DEAD_AFTER = 3_000;
const DEAD_AFTER_MAX = 15_000; // on a slow network
const SILENT_AFTER = 30_000; // the server pings every 25 seconds

/** The part of socket.io-client's socket that is used here. */
export interface PingSocket {
  emit(event: string, payload: unknown, acknowledged: () => void): unknown;
}

export interface LivenessEvents {
  /** The acknowledgement is late. */
  unsure: void;
  /** The acknowledgement came. */
  alive: void;
  /** The acknowledgement did not come: reconnect. */
  dead: void;
}

/** Works from `connected()` to `stop()`. */
export class Liveness extends Emitter<LivenessEvents> {
  readonly #socket: PingSocket;
  #acknowledges = false; // a server that never acknowledged anything may be unable to: its silence means nothing
  #timeout = DEAD_AFTER;
  #check: object | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #unsure: ReturnType<typeof setTimeout> | undefined;
  #dead: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: PingSocket) {
    super();
    this.#socket = socket;
  }

  connected(): void {
    this.stop();
    this.heard();
    this.check();
  }

  /** The server has sent something. */
  heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.check(), SILENT_AFTER + Math.random() * 5_000);
  }

  check(): void {
    if (this.#check) return;
    const check = {};
    this.#check = check;
    const begun = Date.now();
    if (this.#acknowledges) this.#unsure = setTimeout(() => this.emit("unsure"), UNSURE_AFTER);
    this.#dead = setTimeout(() => this.#timedOut(), this.#timeout);
    this.#socket.emit("ping", {}, () => {
      this.#timeout = Math.min(DEAD_AFTER_MAX, Math.max(DEAD_AFTER, 2 * (Date.now() - begun)));
      this.#acknowledges = true;
      if (this.#check === check) this.#acknowledged();
    });
  }

  stop(): void {
    clearTimeout(this.#silence);
    this.#endCheck();
  }

  #acknowledged(): void {
    this.#endCheck();
    this.heard();
    this.emit("alive");
  }

  #timedOut(): void {
    const acknowledged = this.#acknowledges;
    this.#endCheck();
    this.heard();
    if (!acknowledged) return;
    this.#acknowledges = false; // until the new connection has acknowledged: the server is not left again and again
    this.emit("dead");
  }

  #endCheck(): void {
    clearTimeout(this.#unsure);
    clearTimeout(this.#dead);
    this.#check = null;
  }
}
