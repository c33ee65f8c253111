/** What stands in place of the items, or below them. */

import type { View } from "../../client/index.ts";
import { h, icon } from "../dom/dom.ts";
import type { Words } from "../i18n/translations.ts";

const ENDED_FROM = 20; // of so few items one sees that they are all

/** `stale`: it is empty as far as is known, and nothing new would appear. */
export type Shows = "loading" | "more" | "empty" | "stale" | "end" | "nothing";

/** What there is to say of so many items: it `waits` for more of them, or has `ended`, and may be `current`. */
export function showsOf(count: number, waits: boolean, ended: boolean, current: boolean): Shows {
  if (waits) return count > 0 ? "more" : "loading";
  if (!ended) return "nothing";
  if (count === 0) return current ? "empty" : "stale";
  return count > ENDED_FROM ? "end" : "nothing";
}

export class Placeholder {
  readonly element = h("div", { class: "place", part: "empty" });
  readonly #words: Words;
  #shown = "";

  constructor(words: Words) {
    this.#words = words;
  }

  draw(shows: Shows, view: View): void {
    if (this.#shown === `${shows} ${view}`) return;
    this.#shown = `${shows} ${view}`;
    this.element.replaceChildren(...this.#content(shows, view));
  }

  #content(shows: Shows, view: View): HTMLElement[] {
    const { loading, empty, emptyHint, end } = this.#words;
    if (shows === "loading" || shows === "more") {
      const bones = Array.from({ length: shows === "more" ? 1 : 4 }, () =>
        h("div", { class: "bone", "aria-hidden": "true" }, h("i"), h("b"), h("b")),
      );
      return [h("div", { class: "bones" }, h("span", { class: "hidden" }, loading), ...bones)];
    }
    if (shows === "empty" || shows === "stale") {
      const hint = shows === "empty" ? emptyHint[view] : "";
      const words = h("p", { class: "blank" }, icon("bell"), h("strong", {}, empty[view]), hint);
      return [h("slot", { name: "empty" }, words)];
    }
    return shows === "end" ? [h("p", { class: "end" }, end)] : [];
  }
}
