/** A few words in a corner of the window, gone after a while. */

import type { Item } from "../../client/index.ts";
import { h, icon } from "../dom/dom.ts";
import { face } from "../list/row.ts";
import type { Words } from "../i18n/translations.ts";

const SHOWN_MS = 6_000;
const SIDE_BY_SIDE = 3; // more than so many items are said in one

export class Toasts {
  readonly element = h("div", { class: "toasts", part: "toasts", popover: "manual" });
  readonly #words: Words;
  readonly #open: (item: Item | null) => void;
  #count = 0; // of the items that came since there was no toast

  /** `open` is called with the item that was chosen; null when a toast stands for several. */
  constructor(words: Words, open: (item: Item | null) => void) {
    this.#words = words;
    this.#open = open;
  }

  show(items: readonly Item[]): void {
    this.#count += items.length;
    if (this.#count <= SIDE_BY_SIDE) {
      for (const item of items) this.#add(this.#one(item));
      return;
    }
    this.element.replaceChildren();
    this.#add(this.#several(this.#count));
  }

  /** Something else than an item. */
  say(text: string): void {
    this.#add(h("p", { class: "say", role: "alert" }, text));
  }

  clear(): void {
    this.#count = 0;
    this.element.replaceChildren();
    if (this.element.matches(":popover-open")) this.element.hidePopover();
  }

  #one(item: Item): HTMLElement {
    const title = h("span", { class: "title", dir: "auto" }, item.title);
    const body = h("span", { class: "body", dir: "auto" }, item.body ?? "");
    const text = h("span", { class: "content" }, title, ...(item.body ? [body] : []));
    return h("button", { type: "button", class: "say", onclick: () => this.#choose(item) }, face(item), text);
  }

  #several(count: number): HTMLElement {
    const text = h("span", { class: "title" }, this.#words.newer(count));
    const mark = h("span", { class: "face hue-0" }, icon("bell"));
    return h("button", { type: "button", class: "say", onclick: () => this.#choose(null) }, mark, text);
  }

  #add(say: HTMLElement): void {
    const close = h("button", { type: "button", class: "quiet", "aria-label": this.#words.close }, icon("close"));
    const toast = h("div", { class: "toast", part: "toast" }, say, close);
    const gone = (): void => {
      toast.remove();
      if (this.element.childElementCount === 0) this.clear();
    };
    let timer = setTimeout(gone, SHOWN_MS);
    const stay = (): void => clearTimeout(timer);
    const leave = (): void => {
      stay();
      timer = setTimeout(gone, SHOWN_MS);
    };
    for (const event of ["pointerenter", "focusin"]) toast.addEventListener(event, stay);
    for (const event of ["pointerleave", "focusout"]) toast.addEventListener(event, leave);
    close.addEventListener("click", gone);
    this.element.append(toast);
    if (!this.element.matches(":popover-open")) this.element.showPopover();
  }

  #choose(item: Item | null): void {
    this.clear();
    this.#open(item);
  }
}
