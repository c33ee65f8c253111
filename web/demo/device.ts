/** One device of a person: an inbox of its own, which may go offline and come back. */

import { h, setText } from "../inbox/dom.ts";
import type { BelfryInbox, Inbox } from "../inbox/index.ts";
import { connect } from "../inbox/index.ts";

export interface Places {
  readonly api: string;
  readonly push: string;
}

export class Device {
  readonly element: HTMLElement;
  readonly inbox: Inbox;
  readonly #button: HTMLButtonElement;
  #away = false;

  /** A laptop shows its inbox; a phone shows a bell. Throws a `BelfryError` for what is no token. */
  constructor(kind: "Laptop" | "Phone", places: Places, token: string) {
    this.inbox = connect({ ...places, token, share: false });
    const view = document.createElement("belfry-inbox") as BelfryInbox;
    view.className = kind.toLowerCase();
    view.toggleAttribute("inline", kind === "Laptop");
    view.inbox = this.inbox;
    this.#button = h("button", { type: "button", class: "small", onclick: () => this.#turn() });
    const bar = h(
      "div",
      { class: "bar" },
      h("span", { class: "lights", "aria-hidden": "true" }),
      h("h3", {}, kind),
      this.#button,
    );
    if (kind === "Phone") bar.insertBefore(view, this.#button);
    this.element = h("div", { class: `device is-${kind.toLowerCase()}` }, bar, ...(kind === "Laptop" ? [view] : []));
    this.#draw();
  }

  close(): void {
    this.inbox.close();
    this.element.remove();
  }

  #turn(): void {
    this.#away = !this.#away;
    if (this.#away) this.inbox.pause();
    else this.inbox.resume();
    this.#draw();
  }

  #draw(): void {
    setText(this.#button, this.#away ? "Come back" : "Go offline");
    this.element.classList.toggle("away", this.#away);
  }
}
