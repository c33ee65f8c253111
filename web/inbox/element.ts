/**
 * `<belfry-inbox api="https://belfry.example.com" push="https://push.example.com" token="…">`: a bell with an inbox.
 *
 * Attributes:
 * - `api`, `push`: the servers' addresses; they may be relative, and have a path.
 * - `token`: the user's token.
 * - `inline`: the list stands in the page, without a bell.
 * - `badge="unread"`: the badge counts the unread items instead of the unseen ones.
 * - `page-badge`: the page's title and icon show the count, too.
 * - `toasts="off"`: no toasts for new items.
 * - `share="off"`: each tab opens a socket of its own.
 * - `theme="light|dark"`: by default the page's `color-scheme`.
 * - `lang`: by default the page's language, then the browser's.
 * - `poll`: seconds between two polls without a socket.
 *
 * Properties: `getToken` (called whenever a token is needed), `inbox` (the library's `Inbox`, which the page may also
 * set), `renderItem` (makes an element that replaces an item's own look).
 * Slots: `title`, `empty`, `footer`.
 * Events: `belfry-open` (the user opens an item; `preventDefault()` keeps its link from being followed), `belfry-change`.
 */

import { isVisible } from "../client/browser.ts";
import type { GetToken, Inbox, Item, State } from "../client/index.ts";
import { Arrivals, type Means } from "./arrivals/arrivals.ts";
import { Bell } from "./bell/bell.ts";
import { PageBadge } from "./bell/page_badge.ts";
import { ConsoleErrors } from "./console_errors.ts";
import { setAttribute } from "./dom/dom.ts";
import { languageFor, wordsFor } from "./i18n/translations.ts";
import type { Words } from "./i18n/words.ts";
import { InboxBinding } from "./inbox_binding.ts";
import { CustomItems, type RenderItem } from "./list/custom_items.ts";
import { Panel } from "./panel/panel.ts";
import { PanelPopover } from "./panel/panel_popover.ts";
import { styles } from "./styles.ts";
import { Visibility } from "./visibility.ts";

export class BelfryInbox extends HTMLElement {
  static readonly observedAttributes = ["api", "push", "token", "inline", "lang", "badge", "page-badge", "share"];

  readonly #binding = new InboxBinding(this, {
    inboxChanged: (inbox) => this.#inboxChanged(inbox),
    stateChanged: (state) => this.#stateChanged(state),
    arrived: (items) => this.#arrived(items),
  });
  readonly #bell = new Bell();
  readonly #pageBadge = new PageBadge();
  readonly #consoleErrors = new ConsoleErrors();
  readonly #customItems = new CustomItems(this, (error) =>
    this.#consoleErrors.fail("renderItem failed; the item's own look is shown.", error),
  );
  readonly #visibility = new Visibility(() => this.#markSeen());
  #words: Words = wordsFor("en");
  #panel: Panel | null = null;
  #popover: PanelPopover | null = null; // null if the list is inline
  #arrivals: Arrivals | null = null;
  #listening = new AbortController();
  #isDrawScheduled = false;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [styles()];
  }

  get inbox(): Inbox | null {
    return this.#binding.inbox;
  }

  /** Show an inbox that the page made by `connect()`. The page closes it. */
  set inbox(inbox: Inbox | null) {
    this.#binding.give(inbox);
  }

  get getToken(): GetToken | null {
    return this.#binding.getToken;
  }

  set getToken(get: GetToken | null) {
    this.#binding.getToken = get;
    this.#binding.restart();
  }

  get renderItem(): RenderItem | null {
    return this.#customItems.render;
  }

  set renderItem(render: RenderItem | null) {
    this.#customItems.render = render;
    if (this.#panel) this.#assemble();
  }

  get isOpen(): boolean {
    return this.#popover?.isOpen ?? this.hasAttribute("inline");
  }

  /** Open the panel, as a click on the bell does. */
  open(): void {
    this.#popover?.open();
  }

  close(): void {
    this.#popover?.close();
  }

  connectedCallback(): void {
    for (const name of ["renderItem", "getToken", "inbox"] as const) this.#upgrade(name);
    this.#listening.abort();
    this.#listening = new AbortController();
    document.addEventListener("visibilitychange", () => this.#draw(), { signal: this.#listening.signal });
    this.#assemble();
    if (!this.inbox) this.#binding.restart();
  }

  /** An element that is moved is connected again in the same task. */
  disconnectedCallback(): void {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#listening.abort();
      this.#binding.release();
      this.#panel?.destroy();
      this.#popover?.destroy();
      this.#panel = this.#popover = null;
      this.#visibility.stop();
      this.#pageBadge.clear();
    });
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.#panel || before === now) return;
    if (name === "inline" || name === "lang") this.#assemble();
    else if (name === "token") this.#binding.setToken(now);
    else if (["api", "push", "share"].includes(name)) this.#binding.restart();
    this.#draw();
  }

  /** Apply a property that was set before the element was defined. */
  #upgrade(name: "renderItem" | "getToken" | "inbox"): void {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete (this as Partial<Pick<BelfryInbox, typeof name>>)[name];
    Object.assign(this, { [name]: value });
  }

  #assemble(): void {
    const language = languageFor(this);
    const words = wordsFor(language);
    this.#words = words;
    this.#panel?.destroy();
    this.#popover?.destroy();
    this.#arrivals?.clear();
    this.#customItems.clear();
    const panel = new Panel({
      words,
      language,
      failed: (error) => this.#consoleErrors.fail("An item's data cannot be shown as it is.", error),
      opened: (item) => this.#opened(item),
      rowDrawn: (row) => this.#customItems.draw(row),
      rowRemoved: (row) => this.#customItems.remove(row),
      settings: () => arrivals.choices(),
      retry: () => this.#binding.retry(),
      close: () => this.close(),
    });
    const arrivals = new Arrivals(
      words,
      () => this.#means(),
      (item) => this.#reveal(item),
    );
    const inline = this.hasAttribute("inline");
    setAttribute(panel.element, "role", inline ? "region" : "dialog");
    const parts = [...(inline ? [] : [this.#bell.element]), panel.element, ...arrivals.elements];
    this.shadowRoot?.replaceChildren(...parts);
    this.#panel = panel;
    this.#arrivals = arrivals;
    this.#popover = inline ? null : new PanelPopover(this.#bell.element, panel.element, () => this.#panelOpened());
    this.#visibility.watch(panel.element);
    panel.show(this.inbox);
    this.#draw();
  }

  #inboxChanged(inbox: Inbox | null): void {
    this.#panel?.show(inbox);
    this.#draw();
  }

  #stateChanged(state: State): void {
    this.#draw();
    this.dispatchEvent(new CustomEvent("belfry-change", { detail: state }));
  }

  /** Draw at most once a frame. A hidden page has no frames; there it is a timer. */
  #draw(): void {
    if (this.#isDrawScheduled) return;
    this.#isDrawScheduled = true;
    const draw = (): void => {
      this.#isDrawScheduled = false;
      this.#drawNow();
    };
    if (isVisible()) requestAnimationFrame(draw);
    else setTimeout(draw, 250);
  }

  #drawNow(): void {
    const state = this.inbox?.state;
    const { setupError, problem } = this.#binding;
    const count = (this.getAttribute("badge") === "unread" ? state?.unread : state?.unseen) ?? 0;
    const isBroken = problem !== null && (!state || state.status === "refused" || state.version === null);
    this.#bell.draw(count, isBroken, this.#words.bell(count));
    if (this.hasAttribute("page-badge")) this.#pageBadge.show(count);
    this.#panel?.draw(setupError);
    this.#consoleErrors.set("error", problem);
    this.#consoleErrors.set("warn", state?.pushProblem ?? null);
    this.#markSeen();
  }

  #markSeen(): void {
    this.#visibility.markSeen(this.isOpen ? this.inbox : null);
  }

  #arrived(items: readonly Item[]): void {
    this.#bell.ring();
    this.#arrivals?.add(items);
  }

  #means(): Means {
    const isLookedAt = this.isOpen && this.#visibility.isListVisible;
    return { toasts: !isLookedAt && this.getAttribute("toasts") !== "off", alerts: this.inbox?.state.leads ?? false };
  }

  #panelOpened(): void {
    this.#arrivals?.clear();
    this.#panel?.draw(this.#binding.setupError);
  }

  #reveal(item: Item | null): void {
    this.open();
    if (item) this.#panel?.reveal(item);
  }

  /** Returns false if the page has called `preventDefault()`. */
  #opened(item: Item): boolean {
    const event = new CustomEvent("belfry-open", { detail: item, cancelable: true, bubbles: true, composed: true });
    return this.dispatchEvent(event);
  }
}
