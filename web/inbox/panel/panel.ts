/** The panel: header, view tabs, error notice, item list, and a footer with the connection status. */

import { observeSize } from "../../client/browser.ts";
import { BelfryError, type Inbox, type Item } from "../../client/index.ts";
import { h, icon, setAttribute, setText } from "../dom/dom.ts";
import { type Choice, Menu } from "../dom/menu.ts";
import { ItemList } from "../list/item_list.ts";
import { Notice } from "./notice.ts";
import { contentFor, Placeholder } from "../list/placeholder.ts";
import type { RowContext } from "../list/row.ts";
import type { RowListener } from "../list/virtual_list.ts";
import { ViewTabs } from "./view_tabs.ts";

const TIMES_INTERVAL = 20_000; // milliseconds between updates of the relative times
const NO_ITEMS = { items: [], hasMore: false, loading: false, begun: false } as const;

export interface PanelOptions extends RowContext, RowListener {
  /** The user opens an item. Returns false if its link is not to be followed. */
  readonly opened: (item: Item) => boolean;
  /** More choices for the menu of the whole inbox. */
  readonly settings: () => Choice[];
  readonly retry: () => void;
  readonly close: () => void;
}

export class Panel {
  readonly element: HTMLElement;
  readonly #options: PanelOptions;
  readonly #menu = new Menu();
  readonly #status = h("span", { class: "status", part: "status", role: "status" });
  readonly #unread = h("span", { class: "count", part: "count" });
  readonly #scroller = h("div", { class: "scroller", id: "items", role: "tabpanel", part: "scroller" });
  readonly #markAll: HTMLButtonElement;
  readonly #notice: Notice;
  readonly #retryButton: HTMLButtonElement;
  readonly #tabs: ViewTabs;
  readonly #items: ItemList;
  readonly #placeholder: Placeholder;
  readonly #timer: ReturnType<typeof setInterval>;
  #inbox: Inbox | null = null;
  #setupError: BelfryError | null = null; // why there is no inbox
  #failure: BelfryError | null = null; // of the last action

  constructor(options: PanelOptions) {
    const { words } = options;
    this.#options = options;
    this.#markAll = button("quiet mark-all", words.markAllRead, icon("check"), () =>
      this.#run((inbox) => inbox.markAllRead()),
    );
    this.#markAll.append(h("span", {}, words.markAllRead));
    this.#notice = new Notice(words, () => this.#retry());
    this.#retryButton = h("button", { type: "button", class: "again", onclick: () => this.#retry() }, words.retry);
    this.#tabs = new ViewTabs(words, this.#scroller, () => this.#viewChosen());
    this.#placeholder = new Placeholder(words);
    this.#items = new ItemList(this.#scroller, {
      ...options,
      menu: this.#menu,
      run: (action) => this.#run(action),
      nearEnd: () => this.#drawItems(),
      emptied: () => this.#tabs.focus(),
    });
    this.#scroller.append(this.#items.element, this.#placeholder.element);
    this.element = this.#assemble();
    observeSize(this.#scroller, () => this.#drawItems());
    this.#timer = setInterval(() => this.#items.updateTimes(), TIMES_INTERVAL);
  }

  /** Show this inbox; null shows none. */
  show(inbox: Inbox | null): void {
    this.#inbox = inbox;
    this.#failure = null;
    this.#items.reset();
    this.draw(null);
  }

  destroy(): void {
    clearInterval(this.#timer);
  }

  /** `setupError`: why there is no inbox. */
  draw(setupError: BelfryError | null): void {
    this.#setupError = setupError;
    const state = this.#inbox?.state ?? null;
    const { words } = this.#options;
    setText(this.#unread, state?.unread ? words.unread(state.unread) : "");
    this.#markAll.disabled = !state?.unread;
    const problem = setupError ?? this.#failure ?? state?.problem ?? null;
    const isAlone = problem !== null && (state === null || state.version === null); // there is nothing else to show
    const status = isAlone ? "refused" : (state?.status ?? "syncing");
    setText(this.#status, words.status[status] + (state?.waiting ? ` ${words.waiting(state.waiting)}` : ""));
    setAttribute(this.#status, "data-status", status);
    const isQuiet = !isAlone && problem === state?.problem && problem?.passing; // the status is enough
    this.#notice.draw(isQuiet ? null : problem, isAlone);
    this.#scroller.hidden = isAlone;
    this.#retryButton.hidden = !isQuiet;
    this.#drawItems();
  }

  /** Scroll to an item in view `all`, and focus it. */
  reveal(item: Item): void {
    this.#tabs.choose("all");
    this.#items.focus(item.seq);
  }

  #assemble(): HTMLElement {
    const { words, close } = this.#options;
    const more = button("quiet", words.more, icon("more"), () => this.#openMenu(more));
    setAttribute(more, "aria-haspopup", "menu");
    const title = h("slot", { name: "title" }, h("h2", { class: "heading", part: "title" }, words.title));
    const buttons = [this.#markAll, more, button("quiet close", words.close, icon("close"), close)];
    const head = h("header", { class: "head", part: "header" }, title, this.#unread, ...buttons);
    const foot = h(
      "footer",
      { class: "foot", part: "footer" },
      this.#status,
      this.#retryButton,
      h("slot", { name: "footer" }),
    );
    const attributes = { class: "panel", part: "panel", id: "panel", tabindex: "-1", "aria-label": words.title };
    const parts = [head, this.#tabs.element, this.#notice.element, this.#scroller, foot, this.#menu.element];
    return h("section", attributes, ...parts);
  }

  #viewChosen(): void {
    this.#items.reset();
    this.#drawItems();
  }

  #drawItems(): void {
    const { view } = this.#tabs;
    const list = this.#inbox?.list(view) ?? NO_ITEMS;
    const status = this.#inbox?.state.status;
    const works = this.#inbox !== null && !this.#setupError && status !== "refused";
    const isLoading = works && (!list.begun || list.loading) && status !== "offline";
    this.#items.draw(list.items, list.hasMore, isLoading);
    const isComplete = works && list.begun && !list.hasMore;
    this.#placeholder.draw(contentFor(list.items.length, isLoading, isComplete, status !== "offline"), view);
    const mayLoad = works && this.#inbox?.state.version !== null && !list.loading && !this.#failure;
    if (mayLoad && (!list.begun || (list.hasMore && this.#items.nearEnd))) this.#loadMore();
  }

  #loadMore(): void {
    const inbox = this.#inbox;
    inbox?.loadMore(this.#tabs.view).catch((error: unknown) => this.#fail(inbox, error));
  }

  #retry(): void {
    this.#failure = null;
    this.#options.retry();
  }

  /** If the server refuses the action, the library undoes it, and the notice shows the error. */
  #run(action: (inbox: Inbox) => Promise<unknown>): void {
    const inbox = this.#inbox;
    if (!inbox) return;
    this.#failure = null;
    action(inbox).catch((error: unknown) => this.#fail(inbox, error));
    this.#drawItems();
  }

  #fail(inbox: Inbox, error: unknown): void {
    if (!(error instanceof BelfryError)) throw error;
    if (inbox !== this.#inbox || error.status === 404) return; // another device has deleted the item
    this.#failure = error;
    this.draw(this.#setupError);
  }

  #openMenu(opener: HTMLElement): void {
    const { words, settings } = this.#options;
    const archive = { label: words.archiveAll, choose: () => this.#run((inbox) => inbox.archiveAll()) };
    this.#menu.open(opener, words.more, [archive, ...settings()]);
  }
}

function button(className: string, label: string, sign: Node, onclick: () => void): HTMLButtonElement {
  const attributes = { type: "button", class: className, part: "button", "aria-label": label, title: label, onclick };
  return h("button", attributes, sign);
}
