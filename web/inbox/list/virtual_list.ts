/** A virtual list: only the rows in view, and some around them, are in the document. */

import type { Item } from "../../client/index.ts";
import { createRow, type Row, type RowContext } from "./row.ts";
import { RowHeights } from "./row_heights.ts";

const OVERSCAN = 500; // pixels above and below the view that have rows, too
const AT_TOP = 8; // pixels; nearer to the top the list follows what arrives

export interface RowListener {
  /** The row has come into the document, or its item has changed. */
  readonly rowDrawn: (row: Row) => void;
  readonly rowRemoved: (row: Row) => void;
}

export class VirtualList {
  readonly feed: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #context: RowContext;
  readonly #listener: RowListener;
  readonly #heights = new RowHeights();
  readonly #rows = new Map<number, Row>();
  #items: readonly Item[] = [];
  #hasMore = false;
  #active: number | null = null; // the seq of the row that the Tab key reaches

  constructor(scroller: HTMLElement, feed: HTMLElement, context: RowContext, listener: RowListener) {
    this.#scroller = scroller;
    this.feed = feed;
    this.#context = context;
    this.#listener = listener;
    scroller.addEventListener("scroll", () => this.#draw(), { passive: true });
  }

  get rows(): Iterable<Row> {
    return this.#rows.values();
  }

  /** Whether the end of the loaded items is near. */
  get nearEnd(): boolean {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    return clientHeight > 0 && scrollHeight - scrollTop - clientHeight < OVERSCAN;
  }

  /** Show these items. The rows in view keep their place, unless the list is at its top. */
  update(items: readonly Item[], hasMore: boolean): void {
    const anchor = this.#anchor();
    this.#items = items;
    this.#hasMore = hasMore;
    this.#layout();
    this.#draw();
    if (anchor) this.#restore(anchor);
  }

  /** Remove all rows, and scroll to the top. */
  reset(): void {
    for (const row of [...this.#rows.values()]) this.#remove(row);
    this.#heights.clear();
    this.#active = null;
    this.#scroller.scrollTop = 0;
  }

  rowOf(node: EventTarget | null): Row | null {
    const element = node instanceof Element ? node.closest<HTMLElement>(".row") : null;
    return element ? (this.#rows.get(Number(element.dataset.seq)) ?? null) : null;
  }

  /** The item `steps` below that of `seq`, or the nearest one. */
  neighbour(seq: number, steps: number): Item | null {
    const here = this.#items.findIndex((item) => item.seq <= seq);
    const there = Math.min(Math.max(0, (here < 0 ? this.#items.length - 1 : here) + steps), this.#items.length - 1);
    return this.#items[there] ?? null;
  }

  edge(end: "first" | "last"): Item | null {
    return this.#items.at(end === "first" ? 0 : -1) ?? null;
  }

  /** Scroll to an item's row and focus it. */
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

  /** The user has focused this row. */
  activate(seq: number): void {
    this.#active = seq;
    this.#updateTabbable();
  }

  #draw(): void {
    const { first, last } = this.#range();
    const shown = this.#items.slice(first, last);
    const wanted = new Set(shown.map((item) => item.seq));
    const hadFocus = this.#focused();
    for (const [seq, row] of this.#rows) if (!wanted.has(seq)) this.#remove(row);
    for (const [index, item] of shown.entries()) this.#place(item, index, first + index);
    this.feed.style.paddingBlock = `${this.#heights.top(first)}px ${this.#heights.total - this.#heights.top(last)}px`;
    if (hadFocus !== null && !this.#rows.has(hadFocus)) this.feed.focus({ preventScroll: true });
    this.#updateTabbable();
    if (this.#measureRows()) this.#draw();
  }

  #place(item: Item, index: number, position: number): void {
    const row = this.#updatedRow(item);
    row.setPosition(position + 1, this.#hasMore ? -1 : this.#items.length);
    const there = this.feed.children[index] ?? null;
    if (there !== row.element) this.feed.insertBefore(row.element, there);
  }

  #updatedRow(item: Item): Row {
    let row = this.#rows.get(item.seq);
    if (row?.item === item) return row;
    if (row) row.update(item);
    else row = createRow(item, this.#context);
    this.#rows.set(item.seq, row);
    this.#listener.rowDrawn(row);
    return row;
  }

  #remove(row: Row): void {
    row.element.remove();
    this.#rows.delete(row.item.seq);
    this.#listener.rowRemoved(row);
  }

  /** The Tab key reaches one row: the one that had the focus last, else the first. */
  #updateTabbable(): void {
    const active = this.#active !== null && this.#rows.has(this.#active) ? this.#active : this.#first();
    for (const [seq, row] of this.#rows) row.setTabbable(seq === active);
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
    const first = this.#heights.indexAt(scrollTop - OVERSCAN);
    const last = this.#heights.indexAt(scrollTop + (clientHeight || 600) + OVERSCAN) + 1;
    return { first, last: Math.min(last, this.#items.length) };
  }

  #layout(): void {
    this.#heights.layout(this.#items.map(({ seq }) => seq));
  }

  /** Returns whether a row is not as high as it was thought to be. */
  #measureRows(): boolean {
    let differs = false;
    for (const [seq, row] of this.#rows)
      differs = this.#heights.measure(seq, row.element.getBoundingClientRect().height) || differs;
    if (differs) this.#layout();
    return differs;
  }

  /** The first row in view, and its distance from the top of the view; null at the top of the list. */
  #anchor(): { seq: number; offset: number } | null {
    const { scrollTop } = this.#scroller;
    const index = this.#heights.indexAt(scrollTop);
    const item = this.#items[index];
    return scrollTop <= AT_TOP || !item ? null : { seq: item.seq, offset: this.#heights.top(index) - scrollTop };
  }

  #restore({ seq, offset }: { seq: number; offset: number }): void {
    const index = this.#items.findIndex((item) => item.seq <= seq);
    const top = this.#heights.top(index) - offset;
    if (index < 0 || Math.abs(top - this.#scroller.scrollTop) < 1) return;
    this.#scroller.scrollTop = top;
    this.#draw();
  }
}
