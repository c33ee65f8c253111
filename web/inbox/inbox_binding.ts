/** The inbox that an element shows: made of what its attributes say, or given by the page, which then ends it. */

import { BelfryError, connect, type GetToken, type Inbox, type Item, type State } from "../client/index.ts";

export interface HeldListener {
  /** Another inbox is held, or none. */
  turned(inbox: Inbox | null): void;
  changed(state: State): void;
  arrived(items: readonly Item[]): void;
}

export class HeldInbox {
  inbox: Inbox | null = null;
  /** Why there is none. */
  broken: BelfryError | null = null;
  getToken: GetToken | null = null;
  readonly #element: HTMLElement;
  readonly #listener: HeldListener;
  #given = false;
  #starting = false;
  #unsubscribe: (() => void)[] = [];

  constructor(element: HTMLElement, listener: HeldListener) {
    this.#element = element;
    this.#listener = listener;
  }

  /** What is wrong with it, if anything is. */
  get problem(): BelfryError | null {
    return this.broken ?? this.inbox?.state.problem ?? null;
  }

  give(inbox: Inbox | null): void {
    this.#end();
    this.#given = inbox !== null;
    if (inbox) this.#hold(inbox);
  }

  /** What stands in the attributes takes effect, all at once. */
  restart(): void {
    if (this.#starting || this.#given) return;
    this.#starting = true;
    queueMicrotask(() => {
      this.#starting = false;
      if (!this.#element.isConnected || this.#given) return;
      this.#end();
      this.#start();
    });
  }

  /** A new token of the same person goes on with the same inbox; any other begins anew. */
  takeToken(token: string | null): void {
    try {
      if (this.#given) return;
      if (this.inbox && token) this.inbox.setToken(token);
      else this.restart();
    } catch {
      this.restart();
    }
  }

  /** With the same token, if it was refused; what waits to be sent goes on waiting. */
  retry(): void {
    const refused = this.inbox?.state.status === "refused" && !this.getToken;
    if (!this.inbox || (refused && !this.#given)) this.takeToken(this.#element.getAttribute("token"));
    else this.inbox.refresh();
  }

  /** The element is gone; what was given to it stays. */
  leave(): void {
    if (!this.#given) this.#end();
  }

  #start(): void {
    const attribute = (name: string): string | null => this.#element.getAttribute(name);
    const pollSeconds = Number(attribute("poll"));
    const { getToken } = this;
    const share = attribute("share") !== "off";
    const rest = { share, getToken, ...(pollSeconds > 0 ? { pollSeconds } : {}) };
    try {
      this.#hold(connect({ api: attribute("api") ?? "", push: attribute("push"), token: attribute("token"), ...rest }));
    } catch (error) {
      if (!(error instanceof BelfryError)) throw error;
      this.broken = error;
      this.#listener.turned(null);
    }
  }

  #hold(inbox: Inbox): void {
    this.inbox = inbox;
    this.#listener.turned(inbox);
    this.#unsubscribe = [
      inbox.subscribe((state) => this.#listener.changed(state)),
      inbox.onArrival((items) => this.#listener.arrived(items)),
    ];
  }

  #end(): void {
    for (const stop of this.#unsubscribe.splice(0)) stop();
    if (!this.#given) this.inbox?.close();
    this.inbox = this.broken = null;
    this.#given = false;
    this.#listener.turned(null);
  }
}
