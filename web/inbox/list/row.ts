/** The row of one item. */

import type { Item } from "../../client/index.ts";
import { h, icon, iconOf, safeUrl, setAttribute, setText } from "../dom/dom.ts";
import { fullTime, relativeTime } from "../i18n/time.ts";
import type { Words } from "../i18n/words.ts";
import { sanitized } from "./sanitize.ts";

const HUES = 6;

export interface RowContext {
  readonly words: Words;
  readonly language: string;
  /** Called when an item could not be drawn as it is, and was sanitized. */
  readonly failed: (error: unknown) => void;
}

/** A row for the item; if drawing it throws, a row for the sanitized item. */
export function createRow(item: Item, context: RowContext): Row {
  try {
    return new Row(item, context);
  } catch (error) {
    context.failed(error);
    return new Row(item, context, sanitized(item));
  }
}

export class Row {
  readonly element: HTMLElement;
  item: Item;
  /** Null if the item has no link. */
  readonly link: HTMLAnchorElement | null;
  readonly #context: RowContext;
  readonly #title: HTMLElement;
  readonly #body = h("p", { class: "body", part: "item-body", dir: "auto" });
  readonly #actor = h("bdi", { class: "actor", part: "item-actor" });
  readonly #time = h("time", { class: "time", part: "item-time" });
  readonly #unread: HTMLElement;
  readonly #menu: HTMLButtonElement;

  /** `shown` is drawn in place of the item. */
  constructor(item: Item, context: RowContext, shown = item) {
    this.item = item;
    this.#context = context;
    const { words } = context;
    const url = safeUrl(shown.url);
    this.link = url === null ? null : h("a", { href: url, part: "item-link" });
    this.#title = this.link ?? h("span");
    this.#unread = h("span", { class: "dot", part: "item-dot", role: "img", "aria-label": words.unreadItem });
    this.#menu = h(
      "button",
      { type: "button", class: "quiet more", part: "item-menu", "aria-haspopup": "menu", "data-do": "menu" },
      icon("more"),
    );
    const side = h("div", { class: "side" }, this.#unread, this.#menu);
    const seq = String(shown.seq);
    const attributes = {
      class: "row",
      part: "item",
      tabindex: "-1",
      "data-seq": seq,
      "aria-labelledby": `item-${seq}`,
    };
    this.element = h("article", attributes, this.#content(shown), side);
    setAttribute(this.element, "data-severity", shown.severity);
    this.#fill(shown);
  }

  update(item: Item): void {
    this.item = item;
    try {
      this.#fill(item);
    } catch (error) {
      this.#context.failed(error);
      this.#fill(sanitized(item));
    }
  }

  updateTime(): void {
    const text = relativeTime(this.item.created_at, Date.now(), this.#context.language);
    setText(this.#time, text);
    this.#time.hidden = text === "";
  }

  /** Whether the Tab key reaches the row and the controls in it. */
  setTabbable(tabbable: boolean): void {
    for (const element of [this.element, this.#menu, this.#title]) {
      if (element.tagName !== "SPAN") element.tabIndex = tabbable ? 0 : -1;
    }
  }

  /** The position in the whole list, from 1; `size` is -1 while it is unknown. */
  setPosition(position: number, size: number): void {
    setAttribute(this.element, "aria-posinset", String(position));
    setAttribute(this.element, "aria-setsize", String(size));
  }

  /** A slot, so that the page can replace it. */
  #content(item: Item): HTMLElement {
    const { words } = this.#context;
    const id = `item-${item.seq}`;
    const title = h("p", { class: "title", part: "item-title", id, dir: "auto" }, this.#title);
    const severity = item.severity === "high" || item.severity === "medium" ? words.severity[item.severity] : "";
    const meta = h("p", { class: "meta", part: "item-meta" }, this.#actor, this.#time);
    if (severity) meta.prepend(h("span", { class: "severity", part: "item-severity" }, severity));
    return h("slot", { name: id }, avatar(item), h("div", { class: "content" }, title, this.#body, meta));
  }

  #fill(item: Item): void {
    const { words, language } = this.#context;
    setText(this.#title, item.title);
    setText(this.#body, item.body ?? "");
    this.#body.hidden = !item.body;
    setText(this.#actor, item.actor ?? "");
    this.#actor.hidden = !item.actor;
    setAttribute(this.#time, "datetime", item.created_at);
    setAttribute(this.#time, "title", fullTime(item.created_at, language));
    setAttribute(this.element, "part", item.read_at ? "item item-read" : "item item-unread");
    this.element.classList.toggle("unread", !item.read_at);
    this.#unread.hidden = item.read_at !== null;
    setAttribute(this.#menu, "aria-label", words.actions(item.title.slice(0, 80)));
    this.updateTime();
  }
}

/** The actor's initial with the icon of the kind; without an actor, the icon alone. */
export function avatar(item: Item): HTMLElement {
  const name = item.actor?.trim();
  const hue = [...(name || item.kind)].reduce((sum, character) => sum + (character.codePointAt(0) ?? 0), 0) % HUES;
  const element = h("span", { class: `face hue-${hue}`, part: "item-face", "aria-hidden": "true" });
  if (!name) element.append(icon(iconOf(item.kind)));
  else element.append(initial(name), h("span", { class: "kind" }, icon(iconOf(item.kind))));
  return element;
}

export function initial(name: string): string {
  return [...name][0]?.toUpperCase() ?? "?";
}
