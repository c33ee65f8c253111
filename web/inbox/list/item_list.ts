/** The items on the page, and what one does with them: by the pointer, by the keyboard, by a menu. */

import type { Inbox, Item } from "../../client/index.ts";
import { h, setAttribute } from "../dom/dom.ts";
import { WindowedList } from "./virtual_list.ts";
import type { Choice, Menu } from "../panel/menu.ts";
import type { Look, Row } from "./row.ts";

const PAGE_ROWS = 5; // that Page Down goes over

export interface ItemsOptions extends Look {
  readonly menu: Menu;
  /** An item was chosen; false: do not follow its link. */
  readonly opened: (item: Item) => boolean;
  readonly drawn: (row: Row) => void;
  readonly gone: (row: Row) => void;
  readonly act: (act: (inbox: Inbox) => Promise<unknown>) => void;
  /** The end of what is held is near. */
  readonly nearEnd: () => void;
  /** No row is left for the focus. */
  readonly left: () => void;
}

export class Items {
  readonly element: HTMLElement;
  readonly #options: ItemsOptions;
  readonly #list: WindowedList;
  #items: readonly Item[] = [];
  #follows = false; // the click is our own, on an item's link

  constructor(scroller: HTMLElement, options: ItemsOptions) {
    const attributes = { class: "feed", part: "list", role: "feed", tabindex: "-1" };
    this.element = h("div", { ...attributes, "aria-label": options.words.title });
    this.#options = options;
    this.#list = new WindowedList(scroller, this.element, options, options);
    this.element.addEventListener("click", (event) => this.#click(event));
    this.element.addEventListener("keydown", (event) => this.#press(event));
    this.element.addEventListener("focusin", ({ target }) => {
      const row = this.#list.rowOf(target);
      if (row) this.#list.activate(row.item.seq);
    });
    scroller.addEventListener("scroll", () => this.#list.nearEnd && options.nearEnd(), { passive: true });
  }

  /** Whether the end of what is held is near. */
  get nearEnd(): boolean {
    return this.#list.nearEnd;
  }

  draw(items: readonly Item[], hasMore: boolean, waits: boolean): void {
    this.#items = items;
    this.element.hidden = items.length === 0;
    setAttribute(this.element, "aria-busy", String(waits));
    this.#list.update(items, hasMore);
  }

  /** Begin another list at its top. */
  reset(): void {
    this.#list.reset();
  }

  /** Bring an item's row into view and give it the focus. */
  focus(seq: number): void {
    this.#list.focus(seq);
  }

  /** The time has moved on. */
  tick(): void {
    for (const row of this.#list.rows) row.tick();
  }

  #click(event: MouseEvent): void {
    if (this.#follows) return;
    const target = event.target as Element;
    const row = this.#list.rowOf(target);
    const button = target.closest<HTMLElement>("[data-do=menu]");
    if (row && button) this.#openMenu(row, button);
    else if (row && !event.defaultPrevented && !clickedOwnLinkOf(row, event)) this.#open(row, event);
  }

  #press(event: KeyboardEvent): void {
    const row = this.#list.rowOf(event.target);
    const here = row?.item.seq ?? Number.POSITIVE_INFINITY;
    const goals: Record<string, () => Item | null> = {
      ArrowDown: () => this.#list.neighbour(here, row ? 1 : 0),
      ArrowUp: () => this.#list.neighbour(here, -1),
      PageDown: () => this.#list.neighbour(here, PAGE_ROWS),
      PageUp: () => this.#list.neighbour(here, -PAGE_ROWS),
      Home: () => this.#list.edge("first"),
      End: () => this.#list.edge("last"),
    };
    const onRow = row !== null && event.target === row.element;
    const goal = goals[event.key];
    if (goal) this.#go(goal());
    else if (onRow && (event.key === "Enter" || event.key === " ")) this.#open(row, event);
    else if (row && (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey))) this.#menuOf(row);
    else if (onRow && event.key === "Delete") this.#away(row.item.seq, (inbox) => inbox.delete(row.item.seq));
    else return;
    event.preventDefault();
  }

  #go(item: Item | null): void {
    if (item) this.#list.focus(item.seq);
    if (this.#list.nearEnd) this.#options.nearEnd();
  }

  /** Read it, and follow its link unless somebody else does. */
  #open(row: Row, event: MouseEvent | KeyboardEvent): void {
    const { item } = row;
    if (!item.read_at) this.#options.act((inbox) => inbox.markRead(item.seq));
    const follows = this.#options.opened(item);
    const { link } = row;
    const onLink = link !== null && event.composedPath().includes(link);
    if (!follows && onLink) event.preventDefault();
    if (!follows || !link || onLink) return;
    const { ctrlKey, metaKey, shiftKey } = event; // a new tab, a new window
    this.#follows = true;
    link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
    this.#follows = false;
  }

  #menuOf(row: Row): void {
    const button = row.element.querySelector<HTMLElement>("[data-do=menu]");
    if (button) this.#openMenu(row, button);
  }

  #openMenu(row: Row, button: HTMLElement): void {
    const { words, act, menu } = this.#options;
    const { seq, read_at: read, archived_at: archived, title } = row.item;
    const away = (label: string, act_: (inbox: Inbox) => Promise<unknown>): Choice => ({
      label,
      choose: () => this.#away(seq, act_),
    });
    menu.open(button, words.actions(title), [
      read
        ? { label: words.markUnread, choose: () => act((inbox) => inbox.markUnread(seq)) }
        : away(words.markRead, (inbox) => inbox.markRead(seq)),
      archived
        ? away(words.unarchive, (inbox) => inbox.unarchive(seq))
        : away(words.archive, (inbox) => inbox.archive(seq)),
      { ...away(words.remove, (inbox) => inbox.delete(seq)), danger: true },
    ]);
  }

  /** The row may vanish: the focus goes to the one that takes its place. */
  #away(seq: number, act: (inbox: Inbox) => Promise<unknown>): void {
    const next = this.#list.neighbour(seq, 1);
    const other = next && next.seq !== seq ? next : this.#list.neighbour(seq, -1);
    this.#options.act(act);
    if (this.#items.some((item) => item.seq === seq)) return;
    if (other && other.seq !== seq) this.#list.focus(other.seq);
    else this.#options.left();
  }
}

/** A link, or a button, in what the page itself put into a row. */
function clickedOwnLinkOf(row: Row, event: Event): boolean {
  const path = event.composedPath();
  const inside = path.slice(0, path.indexOf(row.element));
  const slotted = inside.some((node) => node instanceof HTMLElement && node.slot.startsWith("item-"));
  return (
    slotted && inside.some((node) => node instanceof Element && node.matches("a, button, input, select, textarea"))
  );
}
