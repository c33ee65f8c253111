/** One person's connection to Belfry: the socket hints, the API tells, and the inbox follows its rule. */

import { ApiError, REFUSED, makeApi } from "./api.js";
import { Inbox } from "./inbox.js";

const NOW_AND_THEN = 30_000; // milliseconds between two looks for what the socket may have lost
const RETRY = 3_000; // milliseconds after a failure that may pass

export class Session {
  /** "connecting", "online", "offline" (trying again), "away" (by choice) or "refused". */
  status = "connecting";
  /** The error that keeps the inbox from being up to date, if there is one. */
  problem = null;
  /** When the token ends, once that is near. */
  expiresAt = null;

  #onChange;
  #socket;
  #timer;
  #retry;
  #lastAct = Promise.resolve();

  /** `onChange()` is called whenever anything here looks different. Throws an `ApiError` for what is no token. */
  constructor(config, token, onChange) {
    this.sub = subjectOf(token);
    this.api = makeApi(config.api, token);
    this.inbox = new Inbox(this.api, () => this.#onChange());
    this.#onChange = onChange;
    this.#socket = globalThis.io(config.push_url, { auth: { token }, transports: ["websocket"], forceNew: true });
    this.#listen();
    this.#timer = setInterval(() => this.lookAround(), NOW_AND_THEN);
    this.#follow(this.inbox.catchUp());
  }

  /** Close the socket, as a train in a tunnel would; what happens meanwhile is fetched by `comeBack`. */
  goAway() {
    this.#socket.disconnect();
    this.#become("away");
  }

  comeBack() {
    this.#become("connecting");
    this.#socket.connect();
  }

  close() {
    this.#onChange = () => {};
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    this.#socket.disconnect();
    this.status = "away";
  }

  /**
   * Do something over the API, after all that was asked for before; then bring the inbox up to date with it.
   * Rejects when the API refused.
   */
  async act(call) {
    const done = this.#lastAct.then(() => call(this.api));
    this.#lastAct = done.catch(() => {});
    await done;
    this.#follow(this.inbox.catchUp());
  }

  /** Fetch what may have been missed; called now and then, and when the page comes into view. */
  lookAround() {
    const cares = this.status !== "away" && this.status !== "refused";
    if (cares && document.visibilityState === "visible") this.#follow(this.inbox.catchUp());
  }

  #listen() {
    const socket = this.#socket;
    socket.on("notification", (change) => this.#follow(this.inbox.receive(change)));
    socket.on("inbox", (change) => this.#follow(this.inbox.receive(change)));
    socket.on("sync", () => this.#follow(this.inbox.catchUp()));
    socket.on("connect", () => {
      this.#become("online");
      this.#follow(this.inbox.catchUp());
    });
    socket.on("token_expiring", ({ expires_at }) => {
      this.expiresAt = expires_at;
      this.#onChange();
    });
    socket.on("connect_error", (error) => this.#notConnected(error.data?.code));
    socket.on("disconnect", (reason) => {
      if (this.status === "away") return;
      this.#become("offline");
      if (reason === "io server disconnect") this.#reconnectSoon(); // in all other cases the client does so itself
    });
  }

  #notConnected(code) {
    if (this.status === "away") return;
    if (code === "unauthorized") this.problem = new ApiError(REFUSED, { status: 401 });
    else if (!this.#socket.active) this.#reconnectSoon();
    this.#become(code === "unauthorized" ? "refused" : "offline");
  }

  #reconnectSoon() {
    setTimeout(() => this.status === "offline" && this.#socket.connect(), RETRY);
  }

  async #follow(caughtUp) {
    try {
      await caughtUp;
      if (this.status !== "refused") this.problem = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
      clearTimeout(this.#retry);
      if (error.passing) this.#retry = setTimeout(() => this.lookAround(), RETRY);
    }
    this.#onChange();
  }

  #become(status) {
    this.status = status;
    this.#onChange();
  }
}

/** Whose token this is, as it says itself; the server is who verifies it. Throws an `ApiError` for what is no token. */
function subjectOf(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(claims), (character) => character.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof sub === "string" && sub) return sub;
  } catch {
    // said below, the same for every reason
  }
  throw new ApiError("This is not a token. Paste the whole line that “make token USER=alice” prints.");
}
