/** The list with all around it: heading, tabs, what is wrong, and what to do with an item. */

import { BelfryError, type Inbox, type Item, type View } from "../client/index.ts";
import { VIEWS } from "../client/types.ts";
import { h, icon, setAttribute, setText } from "./dom.ts";
import { WindowedList } from "./list.ts";
import { type Choice, Menu } from "./menu.ts";
import type { Look, Row } from "./row.ts";
import { inWords } from "./words.ts";

export interface PanelOptions extends Look {
  /** An item was chosen; false: do not follow its link. */
  readonly opened: (item: Item) => boolean;
  readonly drawn: (row: Row) => void;
  readonly gone: (row: Row) => void;
  /** What the menu of the whole inbox offers beside its own. */
  readonly settings: () => Choice[];
  readonly retry: () => void;
}

export class Panel {
  readonly element: HTMLElement;
  view: View = "all";
  readonly #options: PanelOptions;
  readonly #menu = new Menu();
  readonly #status = h("span", { class: "status", part: "status", role: "status" });
  readonly #unread = h("span", { class: "count", part: "count" });
  readonly #notice = h("div", { class: "notice", part: "notice", role: "alert", hidden: true });
  readonly #markAll: HTMLButtonElement;
  readonly #more: HTMLButtonElement;
  readonly #tabs: Record<View, HTMLButtonElement>;
  readonly #feed: HTMLElement;
  readonly #place: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #list: WindowedList;
  readonly #clock: ReturnType<typeof setInterval>;
  #inbox: Inbox | null = null;
  #failure: BelfryError | null = null;
  #brokenBefore: BelfryError | null = null;
  #follows = false; // the click is our own, on an item's link

  constructor(options: PanelOptions) {
    this.#options = options;
    const { words } = options;
    this.#markAll = this.#button("quiet", words.markAllRead, icon("check"), () =>
      this.#do((inbox) => inbox.markAllRead()),
    );
    this.#more = this.#button("quiet", words.more, icon("more"), () => this.#openSettings());
    setAttribute(this.#more, "aria-haspopup", "menu");
    this.#tabs = Object.fromEntries(VIEWS.map((view) => [view, this.#tab(view)])) as Record<View, HTMLButtonElement>;
    this.#feed = h("div", { class: "feed", part: "list", role: "feed", tabindex: "-1", "aria-label": words.title });
    this.#place = h("div", { class: "place", part: "empty" });
    this.#scroller = h(
      "div",
      { class: "scroller", id: "items", role: "tabpanel", part: "scroller" },
      this.#feed,
      this.#place,
    );
    this.element = this.#assemble();
    this.#list = new WindowedList(this.#scroller, this.#feed, options, options);
    this.#listen();
    this.#clock = setInterval(() => this.#tick(), 20_000);
    this.#showTab();
  }

  /** Show this inbox from now on; null shows none. */
  show(inbox: Inbox | null): void {
    this.#inbox = inbox;
    this.#failure = null;
    this.#list.reset();
    this.draw(null);
  }

  end(): void {
    clearInterval(this.#clock);
  }

  /** Bring what is shown up to date. `broken`: why there is no inbox to show. */
  draw(broken: BelfryError | null): void {
    this.#brokenBefore = broken;
    const state = this.#inbox?.state;
    const status = broken ? "refused" : (state?.status ?? "syncing");
    const { words } = this.#options;
    setText(this.#status, words.status[status]);
    setAttribute(this.#status, "data-status", status);
    setText(this.#unread, state?.unread ? words.unread(state.unread) : "");
    this.#markAll.disabled = !state?.unread;
    this.#drawNotice(broken ?? this.#failure ?? state?.problem ?? null);
    this.#drawItems();
  }

  /** Where reading begins when the panel is opened. */
  focus(): void {
    this.element.focus();
  }

  /** Bring an item into view, in the list that has it. */
  reveal(item: Item): void {
    if (this.view !== "all") this.#choose("all");
    this.#list.focus(item.seq);
  }

  #assemble(): HTMLElement {
    const { words } = this.#options;
    const title = h("slot", { name: "title" }, h("h2", { class: "heading", part: "title" }, words.title));
    const head = h("header", { class: "head", part: "header" }, title, this.#unread, this.#markAll, this.#more);
    const tablist = h(
      "div",
      { class: "tabs", part: "tabs", role: "tablist", "aria-label": words.title },
      ...Object.values(this.#tabs),
    );
    const foot = h("footer", { class: "foot", part: "footer" }, this.#status, h("slot", { name: "footer" }));
    const attributes = { class: "panel", part: "panel", id: "panel", tabindex: "-1", "aria-label": words.title };
    return h("section", attributes, head, tablist, this.#notice, this.#scroller, foot, this.#menu.element);
  }

  #button(kind: string, label: string, sign: Node, act: () => void): HTMLButtonElement {
    const attributes = { type: "button", class: kind, part: "button", "aria-label": label, title: label, onclick: act };
    return h("button", attributes, sign);
  }

  #tab(view: View): HTMLButtonElement {
    const attributes = { type: "button", role: "tab", part: "tab", id: `tab-${view}`, "aria-controls": "items" };
    return h("button", { ...attributes, onclick: () => this.#choose(view) }, this.#options.words.views[view]);
  }

  #choose(view: View): void {
    if (this.view === view) return;
    this.view = view;
    this.#showTab();
    this.#list.reset();
    this.#drawItems();
  }

  #showTab(): void {
    for (const view of VIEWS) {
      const chosen = view === this.view;
      setAttribute(this.#tabs[view], "aria-selected", String(chosen));
      setAttribute(this.#tabs[view], "part", chosen ? "tab tab-selected" : "tab");
      this.#tabs[view].tabIndex = chosen ? 0 : -1;
    }
    setAttribute(this.#scroller, "aria-labelledby", `tab-${this.view}`);
  }

  #drawItems(): void {
    const list = this.#inbox?.list(this.view) ?? { items: [], hasMore: false, loading: false, begun: false };
    this.#list.update(list.items, list.hasMore);
    const works = this.#inbox !== null && !this.#brokenBefore && this.#inbox.state.status !== "refused";
    const waits = works && (!list.begun || list.loading) && this.#inbox?.state.status !== "offline";
    this.#feed.hidden = list.items.length === 0;
    setAttribute(this.#feed, "aria-busy", String(waits));
    this.#drawPlace(list.items.length, waits, works && list.begun && !list.hasMore);
    const loads = works && this.#inbox?.state.version !== null && !list.loading;
    if (loads && (!list.begun || (list.hasMore && this.#list.nearEnd))) this.#loadMore();
  }

  /** What stands below the items, or in place of them. */
  #drawPlace(count: number, waits: boolean, ended: boolean): void {
    const { words } = this.#options;
    const shows = waits ? (count ? "more" : "loading") : count ? "end" : ended ? "empty" : "nothing";
    if (this.#place.dataset.shows === `${shows} ${this.view}`) return;
    this.#place.dataset.shows = `${shows} ${this.view}`;
    const bones = Array.from({ length: count ? 1 : 4 }, () =>
      h("div", { class: "bone", "aria-hidden": "true" }, h("i"), h("b"), h("b")),
    );
    const loading = [h("span", { class: "hidden" }, words.loading), ...bones];
    const empty = h("slot", { name: "empty" }, h("p", { class: "empty" }, icon("bell"), words.empty[this.view]));
    const end = ended && count > 20 ? [h("p", { class: "end" }, words.end)] : [];
    this.#place.replaceChildren(...(waits ? loading : shows === "empty" ? [empty] : end));
  }

  #loadMore(): void {
    const inbox = this.#inbox;
    inbox?.loadMore(this.view).catch((error: unknown) => {
      if (error instanceof BelfryError) this.#fail(error);
      else throw error;
    });
  }

  #drawNotice(problem: BelfryError | null): void {
    const { words } = this.#options;
    this.#notice.hidden = !problem;
    if (!problem) {
      this.#notice.replaceChildren();
      return;
    }
    const { what, advice } = inWords(words, problem);
    if (this.#notice.dataset.says === what + advice && this.#notice.childElementCount) return;
    this.#notice.dataset.says = what + advice;
    const retry = h("button", { type: "button", class: "plain", onclick: () => this.#retry() }, words.retry);
    this.#notice.replaceChildren(h("p", {}, h("strong", {}, what), " ", advice), retry);
  }

  #retry(): void {
    this.#failure = null;
    this.#options.retry();
  }

  #fail(error: BelfryError): void {
    this.#failure = error;
    this.draw(null);
  }

  /** What was asked for; when it fails it is taken back by the library, and said here. */
  #do(act: (inbox: Inbox) => Promise<unknown>): void {
    const inbox = this.#inbox;
    if (!inbox) return;
    this.#failure = null;
    act(inbox).catch((error: unknown) => {
      if (!(error instanceof BelfryError)) throw error;
      if (inbox === this.#inbox) this.#fail(error);
    });
  }

  #openSettings(): void {
    const { words, settings } = this.#options;
    const archive = { label: words.archiveAll, choose: () => this.#do((inbox) => inbox.archiveAll()) };
    this.#menu.open(this.#more, words.more, [archive, ...settings()]);
  }

  #openMenu(row: Row, button: HTMLElement): void {
    const { words } = this.#options;
    const { seq, read_at: read, archived_at: archived, title } = row.item;
    this.#menu.open(button, words.actions(title), [
      read
        ? { label: words.markUnread, choose: () => this.#do((inbox) => inbox.markUnread(seq)) }
        : { label: words.markRead, choose: () => this.#away(seq, (inbox) => inbox.markRead(seq)) },
      archived
        ? { label: words.unarchive, choose: () => this.#away(seq, (inbox) => inbox.unarchive(seq)) }
        : { label: words.archive, choose: () => this.#away(seq, (inbox) => inbox.archive(seq)) },
      { label: words.remove, danger: true, choose: () => this.#away(seq, (inbox) => inbox.delete(seq)) },
    ]);
  }

  /** The row may vanish: the focus goes to the one that takes its place. */
  #away(seq: number, act: (inbox: Inbox) => Promise<unknown>): void {
    const next = this.#list.neighbour(seq, 1);
    const other = next && next.seq !== seq ? next : this.#list.neighbour(seq, -1);
    this.#do(act);
    this.#drawItems();
    if (this.#inbox?.list(this.view).items.some((item) => item.seq === seq)) return;
    if (other && other.seq !== seq) this.#list.focus(other.seq);
    else this.#tabs[this.view].focus();
  }

  /** Read it, and follow its link unless somebody else does. */
  #open(row: Row, event: Event): void {
    const { item } = row;
    if (!item.read_at) this.#do((inbox) => inbox.markRead(item.seq));
    const follows = this.#options.opened(item);
    const link = row.element.querySelector<HTMLAnchorElement>("a[href]");
    const onLink = link !== null && event.composedPath().includes(link);
    if (!follows && onLink) event.preventDefault();
    if (!follows || !link || onLink) return;
    this.#follows = true;
    link.click();
    this.#follows = false;
  }

  #listen(): void {
    this.#feed.addEventListener("click", (event) => this.#click(event));
    this.#feed.addEventListener("keydown", (event) => this.#press(event));
    this.#feed.addEventListener("focusin", (event) => {
      const row = this.#list.rowOf(event.target as Element);
      if (row) this.#list.activate(row.item.seq);
    });
    this.#scroller.addEventListener("scroll", () => this.#drawItems(), { passive: true });
    for (const view of VIEWS) this.#tabs[view].addEventListener("keydown", (event) => this.#turn(event, view));
    new ResizeObserver(() => this.#drawItems()).observe(this.#scroller);
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
    const row = this.#list.rowOf(event.target as Element);
    const here = row?.item.seq ?? Number.POSITIVE_INFINITY;
    const goals: Record<string, () => Item | null> = {
      ArrowDown: () => this.#list.neighbour(here, row ? 1 : 0),
      ArrowUp: () => this.#list.neighbour(here, -1),
      PageDown: () => this.#list.neighbour(here, 5),
      PageUp: () => this.#list.neighbour(here, -5),
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
    if (this.#list.nearEnd) this.#drawItems();
  }

  #menuOf(row: Row): void {
    const button = row.element.querySelector<HTMLElement>("[data-do=menu]");
    if (button) this.#openMenu(row, button);
  }

  #turn(event: KeyboardEvent, view: View): void {
    const rightToLeft = getComputedStyle(this.element).direction === "rtl";
    const steps: Record<string, number> = { ArrowRight: rightToLeft ? -1 : 1, ArrowLeft: rightToLeft ? 1 : -1 };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const there = VIEWS[(VIEWS.indexOf(view) + step + VIEWS.length) % VIEWS.length] ?? "all";
    this.#choose(there);
    this.#tabs[there].focus();
  }

  #tick(): void {
    for (const row of this.#list.rows) row.tick();
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
