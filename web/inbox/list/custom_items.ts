/** What a page shows in place of an item's own look: an element of its own making, in the row's slot. */

import type { Item } from "../../client/index.ts";
import type { Row } from "./row.ts";

/** Makes an element for an item; null leaves the item's own look. */
export type RenderItem = (item: Item) => HTMLElement | null;

export class OwnLooks {
  render: RenderItem | null = null;
  readonly #host: HTMLElement;
  readonly #failed: (error: unknown) => void;
  readonly #shown = new Map<number, HTMLElement>();

  /** `host` holds the elements: they are the page's, and styled by it. `failed` is called when `render` does. */
  constructor(host: HTMLElement, failed: (error: unknown) => void) {
    this.#host = host;
    this.#failed = failed;
  }

  drawn({ item }: Row): void {
    this.#remove(item.seq);
    const own = this.#render(item);
    if (!own) return;
    own.slot = `item-${item.seq}`;
    this.#shown.set(item.seq, own);
    this.#host.append(own);
  }

  gone({ item }: Row): void {
    this.#remove(item.seq);
  }

  clear(): void {
    for (const seq of [...this.#shown.keys()]) this.#remove(seq);
  }

  #render(item: Item): HTMLElement | null {
    try {
      const own: unknown = this.render?.(item) ?? null;
      if (own === null || own instanceof HTMLElement) return own;
      throw new TypeError("renderItem must return an element, or null.");
    } catch (error) {
      this.#failed(error);
      return null;
    }
  }

  #remove(seq: number): void {
    this.#shown.get(seq)?.remove();
    this.#shown.delete(seq);
  }
}
