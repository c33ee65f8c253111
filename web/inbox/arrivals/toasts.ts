/** Toasts: short messages in a corner of the window that disappear after a while. */

import type { Item } from "../../client/index.ts";
import { h, icon } from "../dom/dom.ts";
import type { Words } from "../i18n/words.ts";
import { avatar } from "../list/row.ts";

const SHOWN_MS = 6_000;
const SEPARATE_MAX = 3; // more items share one toast

export class Toasts {
  readonly element = h("div", { class: "toasts", part: "toasts", popover: "manual" });
  readonly #words: Words;
  readonly #open: (item: Item | null) => void;
  #count = 0; // items since there was no toast

  /** `open` is called with the item that the user chooses; null for a toast that stands for several. */
  constructor(words: Words, open: (item: Item | null) => void) {
    this.#words = words;
    this.#open = open;
  }

  add(items: readonly Item[]): void {
    this.#count += items.length;
    if (this.#count <= SEPARATE_MAX) {
      for (const item of items) this.#add(this.#itemContent(item));
      return;
    }
    this.element.replaceChildren();
    this.#add(this.#summaryContent(this.#count));
  }

  addText(text: string): void {
    this.#add(h("p", { class: "say", role: "alert" }, text));
  }

  clear(): void {
    this.#count = 0;
    this.element.replaceChildren();
    if (this.element.matches(":popover-open")) this.element.hidePopover();
  }

  #itemContent(item: Item): HTMLElement {
    const title = h("span", { class: "title", dir: "auto" }, item.title);
    const body = h("span", { class: "body", dir: "auto" }, item.body ?? "");
    const text = h("span", { class: "content" }, title, ...(item.body ? [body] : []));
    return h("button", { type: "button", class: "say", onclick: () => this.#choose(item) }, avatar(item), text);
  }

  #summaryContent(count: number): HTMLElement {
    const text = h("span", { class: "title" }, this.#words.newer(count));
    const bell = h("span", { class: "face hue-0" }, icon("bell"));
    return h("button", { type: "button", class: "say", onclick: () => this.#choose(null) }, bell, text);
  }

  #add(content: HTMLElement): void {
    const close = h("button", { type: "button", class: "quiet", "aria-label": this.#words.close }, icon("close"));
    const toast = h("div", { class: "toast", part: "toast" }, content, close);
    const remove = (): void => {
      toast.remove();
      if (this.element.childElementCount === 0) this.clear();
    };
    close.addEventListener("click", remove);
    removeWhenUnattended(toast, remove);
    this.element.append(toast);
    if (!this.element.matches(":popover-open")) this.element.showPopover();
  }

  #choose(item: Item | null): void {
    this.clear();
    this.#open(item);
  }
}

/** Call `remove` after a while in which neither the pointer nor the focus was in the toast. */
function removeWhenUnattended(toast: HTMLElement, remove: () => void): void {
  let timer = setTimeout(remove, SHOWN_MS);
  const stay = (): void => clearTimeout(timer);
  const restart = (): void => {
    stay();
    timer = setTimeout(remove, SHOWN_MS);
  };
  for (const event of ["pointerenter", "focusin"]) toast.addEventListener(event, stay);
  for (const event of ["pointerleave", "focusout"]) toast.addEventListener(event, restart);
}
