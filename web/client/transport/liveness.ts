/** Asks the push server for an acknowledgement: a socket can die without a close event, and nothing else tells. */

const UNSURE_AFTER = 1_000; // milliseconds without an acknowledgement
const DEAD_AFTER = 3_000;
const DEAD_AFTER_MAX = 15_000; // on a slow network
const SILENT_AFTER = 30_000; // the server pings every 25 seconds

/** What is used of socket.io-client's socket. */
export interface Asked {
  emit(event: string, payload: unknown, acknowledged: () => void): unknown;
}

export interface LivenessListener {
  /** The acknowledgement is late. */
  unsure(): void;
  /** It came after all. */
  alive(): void;
  /** It did not come: connect anew. */
  dead(): void;
}

/** Works from `connected()` to `stop()`. */
export class Liveness {
  readonly #socket: Asked;
  readonly #listener: LivenessListener;
  #answers = false; // a server that never acknowledged anything may be unable to: its silence means nothing
  #patience = DEAD_AFTER;
  #asked: object | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #unsure: ReturnType<typeof setTimeout> | undefined;
  #dead: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: Asked, listener: LivenessListener) {
    this.#socket = socket;
    this.#listener = listener;
  }

  connected(): void {
    this.stop();
    this.heard();
    this.check();
  }

  /** The server sent something by itself. */
  heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.check(), SILENT_AFTER + Math.random() * 5_000);
  }

  check(): void {
    if (this.#asked) return;
    const asked = {};
    this.#asked = asked;
    const begun = Date.now();
    if (this.#answers) this.#unsure = setTimeout(() => this.#listener.unsure(), UNSURE_AFTER);
    this.#dead = setTimeout(() => this.#giveUp(), this.#patience);
    this.#socket.emit("ping", {}, () => {
      this.#patience = Math.min(DEAD_AFTER_MAX, Math.max(DEAD_AFTER, 2 * (Date.now() - begun)));
      this.#answers = true;
      if (this.#asked === asked) this.#acknowledged();
    });
  }

  stop(): void {
    clearTimeout(this.#silence);
    this.#settle();
  }

  #acknowledged(): void {
    this.#settle();
    this.heard();
    this.#listener.alive();
  }

  #giveUp(): void {
    const answered = this.#answers;
    this.#settle();
    this.heard();
    if (!answered) return;
    this.#answers = false; // until the new connection has acknowledged: no server is left again and again
    this.#listener.dead();
  }

  #settle(): void {
    clearTimeout(this.#unsure);
    clearTimeout(this.#dead);
    this.#asked = null;
  }
}
