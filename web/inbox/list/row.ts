/** One item on the page. */

import type { Item } from "../../client/index.ts";
import { h, icon, iconOf, safeUrl, setAttribute, setText } from "../dom/dom.ts";
import { legible } from "./sanitize.ts";
import { ago, exactly } from "../i18n/time.ts";
import type { Words } from "../i18n/translations.ts";

const HUES = 6;

/** How rows are drawn. */
export interface Look {
  readonly words: Words;
  readonly language: string;
  /** An item is shown in part: its data is not of the form that it should have. */
  readonly failed: (error: unknown) => void;
}

/** A row for the item; where it cannot be drawn, one for what is legible of it. */
export function rowOf(item: Item, look: Look): Row {
  try {
    return new Row(item, look);
  } catch (error) {
    look.failed(error);
    return new Row(item, look, legible(item));
  }
}

export class Row {
  readonly element: HTMLElement;
  item: Item;
  /** Where it leads, if anywhere. */
  readonly link: HTMLAnchorElement | null;
  readonly #look: Look;
  readonly #title: HTMLElement;
  readonly #body = h("p", { class: "body", part: "item-body", dir: "auto" });
  readonly #actor = h("bdi", { class: "actor", part: "item-actor" });
  readonly #time = h("time", { class: "time", part: "item-time" });
  readonly #unread: HTMLElement;
  readonly #menu: HTMLButtonElement;

  /** `shown` is drawn in the item's place. */
  constructor(original: Item, look: Look, item = original) {
    this.item = original;
    this.#look = look;
    const { words } = look;
    const url = safeUrl(item.url);
    this.link = url === null ? null : h("a", { href: url, part: "item-link" });
    this.#title = this.link ?? h("span");
    this.#unread = h("span", { class: "dot", part: "item-dot", role: "img", "aria-label": words.unreadItem });
    this.#menu = h(
      "button",
      { type: "button", class: "quiet more", part: "item-menu", "aria-haspopup": "menu", "data-do": "menu" },
      icon("more"),
    );
    const id = `item-${item.seq}`;
    const title = h("p", { class: "title", part: "item-title", id, dir: "auto" }, this.#title);
    const severity = item.severity === "high" || item.severity === "medium" ? words.severity[item.severity] : "";
    const meta = h("p", { class: "meta", part: "item-meta" }, this.#actor, this.#time);
    if (severity) meta.prepend(h("span", { class: "severity", part: "item-severity" }, severity));
    const content = h("div", { class: "content" }, title, this.#body, meta);
    const own = h("slot", { name: id }, face(item), content);
    const attributes = {
      class: "row",
      part: "item",
      tabindex: "-1",
      "data-seq": String(item.seq),
      "aria-labelledby": id,
    };
    this.element = h("article", attributes, own, h("div", { class: "side" }, this.#unread, this.#menu));
    setAttribute(this.element, "data-severity", item.severity);
    this.#fill(item);
  }

  update(item: Item): void {
    this.item = item;
    try {
      this.#fill(item);
    } catch (error) {
      this.#look.failed(error);
      this.#fill(legible(item));
    }
  }

  /** The time has moved on. */
  tick(): void {
    const when = ago(this.item.created_at, Date.now(), this.#look.language);
    setText(this.#time, when);
    this.#time.hidden = when === "";
  }

  #fill(item: Item): void {
    const { words, language } = this.#look;
    setText(this.#title, item.title);
    setText(this.#body, item.body ?? "");
    this.#body.hidden = !item.body;
    setText(this.#actor, item.actor ?? "");
    this.#actor.hidden = !item.actor;
    setAttribute(this.#time, "datetime", item.created_at);
    setAttribute(this.#time, "title", exactly(item.created_at, language));
    setAttribute(this.element, "part", item.read_at ? "item item-read" : "item item-unread");
    this.element.classList.toggle("unread", !item.read_at);
    this.#unread.hidden = item.read_at !== null;
    setAttribute(this.#menu, "aria-label", words.actions(item.title.slice(0, 80)));
    this.tick();
  }

  /** Whether Tab leads here, and to what is in it. */
  reach(reached: boolean): void {
    for (const element of [this.element, this.#menu, this.#title]) {
      if (element.tagName !== "SPAN") element.tabIndex = reached ? 0 : -1;
    }
  }

  place(position: number, size: number): void {
    setAttribute(this.element, "aria-posinset", String(position));
    setAttribute(this.element, "aria-setsize", String(size));
  }
}

/** The first letter of who caused it, with the kind's icon; or the icon alone. */
export function face(item: Item): HTMLElement {
  const name = item.actor?.trim();
  const hue = [...(name || item.kind)].reduce((sum, character) => sum + (character.codePointAt(0) ?? 0), 0) % HUES;
  const place = h("span", { class: `face hue-${hue}`, part: "item-face", "aria-hidden": "true" });
  if (!name) place.append(icon(iconOf(item.kind)));
  else place.append(initial(name), h("span", { class: "kind" }, icon(iconOf(item.kind))));
  return place;
}

export function initial(name: string): string {
  return [...name][0]?.toUpperCase() ?? "?";
}
