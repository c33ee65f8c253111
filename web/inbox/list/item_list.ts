/** The list of items, and the actions on them by pointer, keyboard and menu. */

import type { Inbox, Item } from "../../client/index.ts";
import { h, setAttribute } from "../dom/dom.ts";
import type { Choice, Menu } from "../dom/menu.ts";
import type { Row, RowContext } from "./row.ts";
import { type RowListener, VirtualList } from "./virtual_list.ts";

const PAGE_ROWS = 5; // rows that Page Down skips

type Action = (inbox: Inbox) => Promise<unknown>;

export interface ItemListOptions extends RowContext, RowListener {
  readonly menu: Menu;
  /** The user opens an item. Returns false if its link is not to be followed. */
  readonly opened: (item: Item) => boolean;
  readonly run: (action: Action) => void;
  /** The end of the loaded items is near. */
  readonly nearEnd: () => void;
  /** The last row is gone: the focus has to go elsewhere. */
  readonly emptied: () => void;
}

export class ItemList {
  readonly element: HTMLElement;
  readonly #options: ItemListOptions;
  readonly #list: VirtualList;
  #items: readonly Item[] = [];
  #isFollowing = false; // the click event is dispatched by `#open`, to follow a link

  constructor(scroller: HTMLElement, options: ItemListOptions) {
    const attributes = { class: "feed", part: "list", role: "feed", tabindex: "-1" };
    this.element = h("div", { ...attributes, "aria-label": options.words.title });
    this.#options = options;
    this.#list = new VirtualList(scroller, this.element, options, options);
    this.element.addEventListener("click", (event) => this.#clicked(event));
    this.element.addEventListener("keydown", (event) => this.#pressed(event));
    this.element.addEventListener("focusin", ({ target }) => {
      const row = this.#list.rowOf(target);
      if (row) this.#list.activate(row.item.seq);
    });
    scroller.addEventListener("scroll", () => this.#list.nearEnd && options.nearEnd(), { passive: true });
  }

  /** Whether the end of the loaded items is near. */
  get nearEnd(): boolean {
    return this.#list.nearEnd;
  }

  draw(items: readonly Item[], hasMore: boolean, isLoading: boolean): void {
    this.#items = items;
    this.element.hidden = items.length === 0;
    setAttribute(this.element, "aria-busy", String(isLoading));
    this.#list.update(items, hasMore);
  }

  /** Remove all rows, and scroll to the top. */
  reset(): void {
    this.#list.reset();
  }

  /** Scroll to an item's row and focus it. */
  focus(seq: number): void {
    this.#list.focus(seq);
  }

  updateTimes(): void {
    for (const row of this.#list.rows) row.updateTime();
  }

  #clicked(event: MouseEvent): void {
    if (this.#isFollowing) return;
    const target = event.target as Element;
    const row = this.#list.rowOf(target);
    const button = target.closest<HTMLElement>("[data-do=menu]");
    if (row && button) this.#openMenu(row, button);
    else if (row && !event.defaultPrevented && !clickedControlOf(row, event)) this.#open(row, event);
  }

  #pressed(event: KeyboardEvent): void {
    const row = this.#list.rowOf(event.target);
    const here = row?.item.seq ?? Number.POSITIVE_INFINITY;
    const targets: Record<string, () => Item | null> = {
      ArrowDown: () => this.#list.neighbour(here, row ? 1 : 0),
      ArrowUp: () => this.#list.neighbour(here, -1),
      PageDown: () => this.#list.neighbour(here, PAGE_ROWS),
      PageUp: () => this.#list.neighbour(here, -PAGE_ROWS),
      Home: () => this.#list.edge("first"),
      End: () => this.#list.edge("last"),
    };
    const onRow = row !== null && event.target === row.element;
    const target = targets[event.key];
    if (target) this.#go(target());
    else if (onRow && (event.key === "Enter" || event.key === " ")) this.#open(row, event);
    else if (row && (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey))) this.#openMenuOf(row);
    else if (onRow && event.key === "Delete") this.#takeAway(row.item.seq, (inbox) => inbox.delete(row.item.seq));
    else return;
    event.preventDefault();
  }

  #go(item: Item | null): void {
    if (item) this.#list.focus(item.seq);
    if (this.#list.nearEnd) this.#options.nearEnd();
  }

  /** Mark the item as read, and follow its link unless the browser or the page does. */
  #open(row: Row, event: MouseEvent | KeyboardEvent): void {
    const { item } = row;
    if (!item.read_at) this.#options.run((inbox) => inbox.markRead(item.seq));
    const follows = this.#options.opened(item);
    const { link } = row;
    const onLink = link !== null && event.composedPath().includes(link);
    if (!follows && onLink) event.preventDefault();
    if (!follows || !link || onLink) return;
    const { ctrlKey, metaKey, shiftKey } = event; // they open a new tab or window
    this.#isFollowing = true;
    link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
    this.#isFollowing = false;
  }

  #openMenuOf(row: Row): void {
    const button = row.element.querySelector<HTMLElement>("[data-do=menu]");
    if (button) this.#openMenu(row, button);
  }

  #openMenu(row: Row, button: HTMLElement): void {
    const { words, run, menu } = this.#options;
    const { seq, read_at: read, archived_at: archived, title } = row.item;
    const away = (label: string, action: Action): Choice => ({
      label,
      choose: () => this.#takeAway(seq, action),
    });
    menu.open(button, words.actions(title), [
      read
        ? { label: words.markUnread, choose: () => run((inbox) => inbox.markUnread(seq)) }
        : away(words.markRead, (inbox) => inbox.markRead(seq)),
      archived
        ? away(words.unarchive, (inbox) => inbox.unarchive(seq))
        : away(words.archive, (inbox) => inbox.archive(seq)),
      { ...away(words.remove, (inbox) => inbox.delete(seq)), danger: true },
    ]);
  }

  /** The action may remove the row; then the focus goes to the next one. */
  #takeAway(seq: number, action: Action): void {
    const next = this.#list.neighbour(seq, 1);
    const other = next && next.seq !== seq ? next : this.#list.neighbour(seq, -1);
    this.#options.run(action);
    if (this.#items.some((item) => item.seq === seq)) return;
    if (other && other.seq !== seq) this.#list.focus(other.seq);
    else this.#options.emptied();
  }
}

/** Whether the event is for a link or another control in the page's own element for the row. */
function clickedControlOf(row: Row, event: Event): boolean {
  const path = event.composedPath();
  const inside = path.slice(0, path.indexOf(row.element));
  const slotted = inside.some((node) => node instanceof HTMLElement && node.slot.startsWith("item-"));
  return (
    slotted && inside.some((node) => node instanceof Element && node.matches("a, button, input, select, textarea"))
  );
}
