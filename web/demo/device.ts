/** One device of a person, with an inbox of its own that can go offline and come back. */

import { h, setText } from "../inbox/dom/dom.ts";
import type { BelfryInbox, Inbox } from "../inbox/index.ts";
import { connect } from "../inbox/index.ts";

export interface Servers {
  readonly api: string;
  readonly push: string;
}

export class Device {
  readonly element: HTMLElement;
  readonly inbox: Inbox;
  readonly #kind: string;
  readonly #button: HTMLButtonElement;
  #away = false;

  /** A laptop shows its inbox; a phone shows a bell. Throws a `BelfryError` for a malformed token. */
  constructor(kind: "Laptop" | "Phone", servers: Servers, token: string) {
    this.inbox = connect({ ...servers, token, share: false });
    this.#kind = kind;
    const name = kind.toLowerCase();
    const view = document.createElement("belfry-inbox") as BelfryInbox;
    view.className = name;
    view.inbox = this.inbox;
    this.#button = h("button", { type: "button", class: "small", onclick: () => (this.away = !this.#away) });
    const bar = h("div", { class: "bar" }, h("span", { class: "light", "aria-hidden": "true" }), h("h3", {}, kind));
    this.element = h("div", { class: `device is-${name}` }, bar);
    if (kind === "Phone") {
      bar.append(view);
    } else {
      view.setAttribute("inline", "");
      view.setAttribute("toasts", "off"); // the phone shows them
      this.element.append(view);
    }
    bar.append(this.#button);
    this.#draw();
  }

  set away(away: boolean) {
    this.#away = away;
    if (away) this.inbox.pause();
    else this.inbox.resume();
    this.#draw();
  }

  close(): void {
    this.inbox.close();
    this.element.remove();
  }

  #draw(): void {
    const label = this.#away ? "Come back" : "Go offline";
    setText(this.#button, label);
    this.#button.setAttribute("aria-label", `${this.#kind}: ${label}`);
    this.element.classList.toggle("away", this.#away);
  }
}
