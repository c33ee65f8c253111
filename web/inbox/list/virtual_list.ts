/** A long list of which only what is in view, and a little around it, is in the document. */

import type { Item } from "../../client/index.ts";
import { Heights } from "./row_heights.ts";
import { type Look, type Row, rowOf } from "./row.ts";

const AROUND = 500; // pixels above and below the view that are drawn too
const AT_TOP = 8; // pixels: whoever is that near to the top wants to see what arrives

export class WindowedList {
  readonly feed: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #look: Look;
  readonly #drawn: (row: Row) => void;
  readonly #gone: (row: Row) => void;
  readonly #heights = new Heights();
  readonly #rows = new Map<number, Row>();
  #items: readonly Item[] = [];
  #hasMore = false;
  #active: number | null = null; // the row that Tab leads to

  /** `drawn` is called with every row that comes into the document or changes there, `gone` with those that leave it. */
  constructor(
    scroller: HTMLElement,
    feed: HTMLElement,
    look: Look,
    { drawn, gone }: { drawn: (row: Row) => void; gone: (row: Row) => void },
  ) {
    this.#scroller = scroller;
    this.feed = feed;
    this.#look = look;
    this.#drawn = drawn;
    this.#gone = gone;
    scroller.addEventListener("scroll", () => this.#draw(), { passive: true });
  }

  get rows(): Iterable<Row> {
    return this.#rows.values();
  }

  /** Whether the end of what is held is near. */
  get nearEnd(): boolean {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    return clientHeight > 0 && scrollHeight - scrollTop - clientHeight < AROUND;
  }

  /** Show these; what is in view stays where it is, unless the top is in view. */
  update(items: readonly Item[], hasMore: boolean): void {
    const anchor = this.#anchor();
    this.#items = items;
    this.#hasMore = hasMore;
    this.#lay();
    this.#draw();
    if (anchor) this.#return(anchor);
  }

  /** Begin another list at its top. */
  reset(): void {
    for (const row of [...this.#rows.values()]) this.#remove(row);
    this.#heights.forget();
    this.#active = null;
    this.#scroller.scrollTop = 0;
  }

  rowOf(node: EventTarget | null): Row | null {
    const element = node instanceof Element ? node.closest<HTMLElement>(".row") : null;
    return element ? (this.#rows.get(Number(element.dataset.seq)) ?? null) : null;
  }

  /** The row that is `steps` away from that of `seq`, or the nearest there is. */
  neighbour(seq: number, steps: number): Item | null {
    const here = this.#items.findIndex((item) => item.seq <= seq);
    const there = Math.min(Math.max(0, (here < 0 ? this.#items.length - 1 : here) + steps), this.#items.length - 1);
    return this.#items[there] ?? null;
  }

  edge(end: "first" | "last"): Item | null {
    return this.#items.at(end === "first" ? 0 : -1) ?? null;
  }

  /** Bring an item's row into view and give it the focus. */
  focus(seq: number): void {
    const index = this.#items.findIndex((item) => item.seq === seq);
    if (index < 0) return;
    this.#active = seq;
    if (!this.#rows.has(seq)) {
      this.#scroller.scrollTop = this.#heights.top(index);
      this.#draw();
    }
    this.#rows.get(seq)?.element.focus({ preventScroll: true });
    this.#rows.get(seq)?.element.scrollIntoView({ block: "nearest" });
    this.#draw();
  }

  /** Somebody came into this row by themselves. */
  activate(seq: number): void {
    this.#active = seq;
    this.#tab();
  }

  #draw(): void {
    const { first, last } = this.#range();
    const shown = this.#items.slice(first, last);
    const wanted = new Set(shown.map((item) => item.seq));
    const hadFocus = this.#focused();
    for (const [seq, row] of this.#rows) {
      if (wanted.has(seq)) continue;
      this.#remove(row);
    }
    for (const [index, item] of shown.entries()) this.#place(item, index, first + index);
    this.feed.style.paddingBlock = `${this.#heights.top(first)}px ${this.#heights.end - this.#heights.top(last)}px`;
    if (hadFocus !== null && !this.#rows.has(hadFocus)) this.feed.focus({ preventScroll: true });
    this.#tab();
    if (this.#measureRows()) this.#draw();
  }

  #place(item: Item, index: number, position: number): void {
    let row = this.#rows.get(item.seq);
    if (!row) {
      row = rowOf(item, this.#look);
      this.#rows.set(item.seq, row);
      this.#drawn(row);
    } else if (row.item !== item) {
      row.update(item);
      this.#drawn(row);
    }
    row.place(position + 1, this.#hasMore ? -1 : this.#items.length);
    const there = this.feed.children[index] ?? null;
    if (there !== row.element) this.feed.insertBefore(row.element, there);
  }

  #remove(row: Row): void {
    row.element.remove();
    this.#rows.delete(row.item.seq);
    this.#gone(row);
  }

  /** One row is reached by Tab: the last one that had the focus, else the first. */
  #tab(): void {
    const active = this.#active !== null && this.#rows.has(this.#active) ? this.#active : this.#first();
    for (const [seq, row] of this.#rows) row.reach(seq === active);
  }

  #first(): number | null {
    const first = this.feed.firstElementChild as HTMLElement | null;
    return first ? Number(first.dataset.seq) : null;
  }

  #focused(): number | null {
    const root = this.feed.getRootNode() as ShadowRoot;
    return this.rowOf(root.activeElement)?.item.seq ?? null;
  }

  #range(): { first: number; last: number } {
    const { scrollTop, clientHeight } = this.#scroller;
    const first = this.#heights.indexAt(scrollTop - AROUND);
    const last = this.#heights.indexAt(scrollTop + (clientHeight || 600) + AROUND) + 1;
    return { first, last: Math.min(last, this.#items.length) };
  }

  #lay(): void {
    this.#heights.lay(this.#items.map(({ seq }) => seq));
  }

  /** True when some row is not as high as was thought. */
  #measureRows(): boolean {
    let differs = false;
    for (const [seq, row] of this.#rows)
      differs = this.#heights.learn(seq, row.element.getBoundingClientRect().height) || differs;
    if (differs) this.#lay();
    return differs;
  }

  /** The first row in view, and how far from the top it is. */
  #anchor(): { seq: number; offset: number } | null {
    const { scrollTop } = this.#scroller;
    const index = this.#heights.indexAt(scrollTop);
    const item = this.#items[index];
    return scrollTop <= AT_TOP || !item ? null : { seq: item.seq, offset: this.#heights.top(index) - scrollTop };
  }

  #return({ seq, offset }: { seq: number; offset: number }): void {
    const index = this.#items.findIndex((item) => item.seq <= seq);
    const top = this.#heights.top(index) - offset;
    if (index < 0 || Math.abs(top - this.#scroller.scrollTop) < 1) return;
    this.#scroller.scrollTop = top;
    this.#draw();
  }
}
