/** What the list shows in place of items, or below them: loading, empty, the end. */

import type { View } from "../../client/index.ts";
import { h, icon } from "../dom/dom.ts";
import type { Words } from "../i18n/words.ts";

const END_FROM = 20; // items; a shorter list visibly ends

/** `stale`: empty as far as is known; without a connection nothing new would appear. */
export type Content = "loading" | "more" | "empty" | "stale" | "end" | "nothing";

export function contentFor(count: number, isLoading: boolean, isComplete: boolean, isCurrent: boolean): Content {
  if (isLoading) return count > 0 ? "more" : "loading";
  if (!isComplete) return "nothing";
  if (count === 0) return isCurrent ? "empty" : "stale";
  return count > END_FROM ? "end" : "nothing";
}

export class Placeholder {
  readonly element = h("div", { class: "place", part: "empty" });
  readonly #words: Words;
  #drawn = "";

  constructor(words: Words) {
    this.#words = words;
  }

  draw(content: Content, view: View): void {
    if (this.#drawn === `${content} ${view}`) return;
    this.#drawn = `${content} ${view}`;
    this.element.replaceChildren(...this.#elements(content, view));
  }

  #elements(content: Content, view: View): HTMLElement[] {
    const { loading, empty, emptyHint, end } = this.#words;
    if (content === "loading" || content === "more") {
      const bones = Array.from({ length: content === "more" ? 1 : 4 }, () =>
        h("div", { class: "bone", "aria-hidden": "true" }, h("i"), h("b"), h("b")),
      );
      return [h("div", { class: "bones" }, h("span", { class: "hidden" }, loading), ...bones)];
    }
    if (content === "empty" || content === "stale") {
      const hint = content === "empty" ? emptyHint[view] : "";
      const text = h("p", { class: "blank" }, icon("bell"), h("strong", {}, empty[view]), hint);
      return [h("slot", { name: "empty" }, text)];
    }
    return content === "end" ? [h("p", { class: "end" }, end)] : [];
  }
}
