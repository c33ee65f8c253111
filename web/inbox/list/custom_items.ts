/** The elements that a page's `renderItem` makes. Each stands in the slot of its row, in place of the item's own look. */

import type { Item } from "../../client/index.ts";
import type { Row } from "./row.ts";

/** Makes an element for an item; null keeps the item's own look. */
export type RenderItem = (item: Item) => HTMLElement | null;

export class CustomItems {
  render: RenderItem | null = null;
  readonly #host: HTMLElement;
  readonly #failed: (error: unknown) => void;
  readonly #elements = new Map<number, HTMLElement>();

  /** `host` gets the elements as children, so the page's styles apply. `failed` is called when `render` throws. */
  constructor(host: HTMLElement, failed: (error: unknown) => void) {
    this.#host = host;
    this.#failed = failed;
  }

  /** Render the item of a row that is new or has changed. */
  draw({ item }: Row): void {
    this.#remove(item.seq);
    const element = this.#render(item);
    if (!element) return;
    element.slot = `item-${item.seq}`;
    this.#elements.set(item.seq, element);
    this.#host.append(element);
  }

  remove({ item }: Row): void {
    this.#remove(item.seq);
  }

  clear(): void {
    for (const seq of [...this.#elements.keys()]) this.#remove(seq);
  }

  #render(item: Item): HTMLElement | null {
    try {
      const element: unknown = this.render?.(item) ?? null;
      if (element === null || element instanceof HTMLElement) return element;
      throw new TypeError("renderItem must return an element, or null.");
    } catch (error) {
      this.#failed(error);
      return null;
    }
  }

  #remove(seq: number): void {
    this.#elements.get(seq)?.remove();
    this.#elements.delete(seq);
  }
}
