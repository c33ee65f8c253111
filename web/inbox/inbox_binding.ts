/** The inbox that an element shows: created from the element's attributes, or given by the page, which then closes it. */

import { BelfryError, connect, type GetToken, type Inbox, type Item, type State } from "../client/index.ts";

export interface BindingListener {
  /** The element shows another inbox now, or none. */
  inboxChanged(inbox: Inbox | null): void;
  stateChanged(state: State): void;
  arrived(items: readonly Item[]): void;
}

export class InboxBinding {
  inbox: Inbox | null = null;
  /** Why there is no inbox. */
  setupError: BelfryError | null = null;
  getToken: GetToken | null = null;
  readonly #element: HTMLElement;
  readonly #listener: BindingListener;
  #isGiven = false;
  #isStarting = false;
  #subscriptions: (() => void)[] = [];

  constructor(element: HTMLElement, listener: BindingListener) {
    this.#element = element;
    this.#listener = listener;
  }

  get problem(): BelfryError | null {
    return this.setupError ?? this.inbox?.state.problem ?? null;
  }

  /** Show the page's own inbox. */
  give(inbox: Inbox | null): void {
    this.#end();
    this.#isGiven = inbox !== null;
    if (inbox) this.#bind(inbox);
  }

  /** Create the inbox anew from the attributes, once for all attributes that change in this task. */
  restart(): void {
    if (this.#isStarting || this.#isGiven) return;
    this.#isStarting = true;
    queueMicrotask(() => {
      this.#isStarting = false;
      if (!this.#element.isConnected || this.#isGiven) return;
      this.#end();
      this.#start();
    });
  }

  /** A new token of the same user continues the inbox; any other token starts a new one. */
  setToken(token: string | null): void {
    try {
      if (this.#isGiven) return;
      if (this.inbox && token) this.inbox.setToken(token);
      else this.restart();
    } catch {
      this.restart();
    }
  }

  /** If the token was refused, try it again. The inbox continues, so mutations that wait are kept. */
  retry(): void {
    const isRefused = this.inbox?.state.status === "refused" && !this.getToken;
    if (!this.inbox || (isRefused && !this.#isGiven)) this.setToken(this.#element.getAttribute("token"));
    else this.inbox.refresh();
  }

  /** The element was removed: close the inbox, unless the page gave it. */
  release(): void {
    if (!this.#isGiven) this.#end();
  }

  #start(): void {
    const attribute = (name: string): string | null => this.#element.getAttribute(name);
    const pollSeconds = Number(attribute("poll"));
    const { getToken } = this;
    const share = attribute("share") !== "off";
    const rest = { share, getToken, ...(pollSeconds > 0 ? { pollSeconds } : {}) };
    try {
      this.#bind(connect({ api: attribute("api") ?? "", push: attribute("push"), token: attribute("token"), ...rest }));
    } catch (error) {
      if (!(error instanceof BelfryError)) throw error;
      this.setupError = error;
      this.#listener.inboxChanged(null);
    }
  }

  #bind(inbox: Inbox): void {
    this.inbox = inbox;
    this.#listener.inboxChanged(inbox);
    this.#subscriptions = [
      inbox.subscribe((state) => this.#listener.stateChanged(state)),
      inbox.onArrival((items) => this.#listener.arrived(items)),
    ];
  }

  #end(): void {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    if (!this.#isGiven) this.inbox?.close();
    this.inbox = this.setupError = null;
    this.#isGiven = false;
    this.#listener.inboxChanged(null);
  }
}
