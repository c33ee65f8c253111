/** The list with all around it: heading, tabs, what is wrong, and how it stands with the server. */

import { observeSize } from "../../client/browser.ts";
import { BelfryError, type Inbox, type Item } from "../../client/index.ts";
import { h, icon, setAttribute, setText } from "../dom/dom.ts";
import { Items } from "../list/item_list.ts";
import { type Choice, Menu } from "./menu.ts";
import { Notice } from "./notice.ts";
import { Placeholder, showsOf } from "../list/placeholder.ts";
import type { Look, Row } from "../list/row.ts";
import { ViewTabs } from "./view_tabs.ts";

const TICK_MS = 20_000; // how long ago an item came is said anew that often
const NO_ITEMS = { items: [], hasMore: false, loading: false, begun: false } as const;

export interface PanelOptions extends Look {
  /** An item was chosen; false: do not follow its link. */
  readonly opened: (item: Item) => boolean;
  readonly drawn: (row: Row) => void;
  readonly gone: (row: Row) => void;
  /** What the menu of the whole inbox offers beside its own. */
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
  readonly #again: HTMLButtonElement;
  readonly #tabs: ViewTabs;
  readonly #items: Items;
  readonly #place: Placeholder;
  readonly #clock: ReturnType<typeof setInterval>;
  #inbox: Inbox | null = null;
  #broken: BelfryError | null = null; // why there is no inbox to show
  #failure: BelfryError | null = null; // of what somebody asked for

  constructor(options: PanelOptions) {
    const { words } = options;
    this.#options = options;
    this.#markAll = button("quiet mark-all", words.markAllRead, icon("check"), () =>
      this.#act((inbox) => inbox.markAllRead()),
    );
    this.#markAll.append(h("span", {}, words.markAllRead));
    this.#notice = new Notice(words, () => this.#retry());
    this.#again = h("button", { type: "button", class: "again", onclick: () => this.#retry() }, words.retry);
    this.#tabs = new ViewTabs(words, this.#scroller, () => this.#begin());
    this.#place = new Placeholder(words);
    this.#items = new Items(this.#scroller, {
      ...options,
      menu: this.#menu,
      act: (act) => this.#act(act),
      nearEnd: () => this.#drawItems(),
      left: () => this.#tabs.focus(),
    });
    this.#scroller.append(this.#items.element, this.#place.element);
    this.element = this.#assemble();
    observeSize(this.#scroller, () => this.#drawItems());
    this.#clock = setInterval(() => this.#items.tick(), TICK_MS);
  }

  /** Show this inbox from now on; null shows none. */
  show(inbox: Inbox | null): void {
    this.#inbox = inbox;
    this.#failure = null;
    this.#items.reset();
    this.draw(null);
  }

  end(): void {
    clearInterval(this.#clock);
  }

  /** Bring what is shown up to date. `broken`: why there is no inbox to show. */
  draw(broken: BelfryError | null): void {
    this.#broken = broken;
    const state = this.#inbox?.state ?? null;
    const { words } = this.#options;
    setText(this.#unread, state?.unread ? words.unread(state.unread) : "");
    this.#markAll.disabled = !state?.unread;
    const problem = broken ?? this.#failure ?? state?.problem ?? null;
    const bare = problem !== null && (state === null || state.version === null); // there is nothing else to show
    const status = bare ? "refused" : (state?.status ?? "syncing");
    setText(this.#status, words.status[status] + (state?.waiting ? ` ${words.waiting(state.waiting)}` : ""));
    setAttribute(this.#status, "data-status", status);
    const calm = !bare && problem === state?.problem && problem?.passing; // who has their items need not be told why
    this.#notice.draw(calm ? null : problem, bare);
    this.#scroller.hidden = bare;
    this.#again.hidden = !calm;
    this.#drawItems();
  }

  /** Bring an item into view, in the list that has it. */
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
      this.#again,
      h("slot", { name: "footer" }),
    );
    const attributes = { class: "panel", part: "panel", id: "panel", tabindex: "-1", "aria-label": words.title };
    const parts = [head, this.#tabs.element, this.#notice.element, this.#scroller, foot, this.#menu.element];
    return h("section", attributes, ...parts);
  }

  /** Another view: at its top. */
  #begin(): void {
    this.#items.reset();
    this.#drawItems();
  }

  #drawItems(): void {
    const { view } = this.#tabs;
    const list = this.#inbox?.list(view) ?? NO_ITEMS;
    const status = this.#inbox?.state.status;
    const works = this.#inbox !== null && !this.#broken && status !== "refused";
    const waits = works && (!list.begun || list.loading) && status !== "offline";
    this.#items.draw(list.items, list.hasMore, waits);
    const ended = works && list.begun && !list.hasMore;
    this.#place.draw(showsOf(list.items.length, waits, ended, status !== "offline"), view);
    const loads = works && this.#inbox?.state.version !== null && !list.loading && !this.#failure;
    if (loads && (!list.begun || (list.hasMore && this.#items.nearEnd))) this.#loadMore();
  }

  #loadMore(): void {
    const inbox = this.#inbox;
    inbox?.loadMore(this.#tabs.view).catch((error: unknown) => this.#fail(inbox, error));
  }

  #retry(): void {
    this.#failure = null;
    this.#options.retry();
  }

  /** What was asked for; when it is refused it is taken back by the library, and said here. */
  #act(act: (inbox: Inbox) => Promise<unknown>): void {
    const inbox = this.#inbox;
    if (!inbox) return;
    this.#failure = null;
    act(inbox).catch((error: unknown) => this.#fail(inbox, error));
    this.#drawItems();
  }

  #fail(inbox: Inbox, error: unknown): void {
    if (!(error instanceof BelfryError)) throw error;
    if (inbox !== this.#inbox || error.status === 404) return; // another device deleted it meanwhile
    this.#failure = error;
    this.draw(this.#broken);
  }

  #openMenu(at: HTMLElement): void {
    const { words, settings } = this.#options;
    const archive = { label: words.archiveAll, choose: () => this.#act((inbox) => inbox.archiveAll()) };
    this.#menu.open(at, words.more, [archive, ...settings()]);
  }
}

function button(kind: string, label: string, sign: Node, act: () => void): HTMLButtonElement {
  const attributes = { type: "button", class: kind, part: "button", "aria-label": label, title: label, onclick: act };
  return h("button", attributes, sign);
}
