/**
 * `<belfry-inbox api="https://belfry.example.com" push="https://push.example.com" token="…">`: a bell, and an inbox.
 *
 * Attributes: `api`, `push` (both may be relative, and have a path), `token`; `inline` (the list stands in the page, without a bell); `badge="unread"` (it counts
 * what is unread instead of what is new); `page-badge` (the count is also in the page's title and icon); `toasts="off"`;
 * `share="off"` (a socket of its own in each tab); `theme="light|dark"` (else the page's `color-scheme`); `lang` (else
 * the page's); `poll` (seconds).
 * Properties: `getToken` (asked whenever a token is needed), `inbox` (the library's, or one of your own making),
 * `renderItem` (makes an element that stands in place of an item's own look).
 * Slots: `title`, `empty`, `footer`.
 * Events: `belfry-open` (an item was chosen; `preventDefault()` keeps its link from being followed), `belfry-change`.
 */

import { attempt, isVisible } from "../client/browser.ts";
import type { GetToken, Inbox, Item, State } from "../client/index.ts";
import { Arrivals, type Manner } from "./arrivals/arrivals.ts";
import { Bell } from "./bell/bell.ts";
import { Complaints } from "./console_errors.ts";
import { setAttribute } from "./dom/dom.ts";
import { HeldInbox } from "./inbox_binding.ts";
import { languageOf } from "./i18n/language.ts";
import { OwnLooks, type RenderItem } from "./list/custom_items.ts";
import { PageBadge } from "./bell/page_badge.ts";
import { Panel } from "./panel/panel.ts";
import { Sight } from "./visibility.ts";
import { styles } from "./styles.ts";
import { Tray } from "./panel/panel_popover.ts";
import { spoken, type Words, wordsOf } from "./i18n/translations.ts";

export class BelfryInbox extends HTMLElement {
  static readonly observedAttributes = ["api", "push", "token", "inline", "lang", "badge", "page-badge", "share"];

  readonly #held = new HeldInbox(this, {
    turned: (inbox) => this.#turned(inbox),
    changed: (state) => this.#changed(state),
    arrived: (items) => this.#arrived(items),
  });
  readonly #bell = new Bell();
  readonly #pageBadge = new PageBadge();
  readonly #complaints = new Complaints();
  readonly #ownLooks = new OwnLooks(this, (error) =>
    this.#complaints.fail("renderItem failed; the item's own look is shown.", error),
  );
  readonly #sight = new Sight(() => this.#see());
  #words: Words = wordsOf("en");
  #panel: Panel | null = null;
  #tray: Tray | null = null; // none where the list stands in the page
  #arrivals: Arrivals | null = null;
  #left = new AbortController();
  #drawing = false;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [styles()];
  }

  get inbox(): Inbox | null {
    return this.#held.inbox;
  }

  /** Show an inbox that was made by `connect()`; whoever made it closes it. */
  set inbox(inbox: Inbox | null) {
    this.#held.give(inbox);
  }

  get getToken(): GetToken | null {
    return this.#held.getToken;
  }

  set getToken(get: GetToken | null) {
    this.#held.getToken = get;
    this.#held.restart();
  }

  get renderItem(): RenderItem | null {
    return this.#ownLooks.render;
  }

  set renderItem(render: RenderItem | null) {
    this.#ownLooks.render = render;
    if (this.#panel) this.#assemble();
  }

  get isOpen(): boolean {
    return this.#tray?.isOpen ?? this.hasAttribute("inline");
  }

  /** Open the list, as a click on the bell does. */
  open(): void {
    this.#tray?.open();
  }

  close(): void {
    this.#tray?.close();
  }

  connectedCallback(): void {
    for (const name of ["renderItem", "getToken", "inbox"] as const) this.#upgrade(name);
    this.#left.abort();
    this.#left = new AbortController();
    document.addEventListener("visibilitychange", () => this.#draw(), { signal: this.#left.signal });
    this.#assemble();
    if (!this.inbox) this.#held.restart();
  }

  /** Gone for good, unless it is back at once: elements are moved, too. */
  disconnectedCallback(): void {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#left.abort();
      this.#held.leave();
      this.#panel?.end();
      this.#tray?.end();
      this.#panel = this.#tray = null;
      this.#sight.end();
      this.#pageBadge.clear();
    });
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.#panel || before === now) return;
    if (name === "inline" || name === "lang") this.#assemble();
    else if (name === "token") this.#held.takeToken(now);
    else if (["api", "push", "share"].includes(name)) this.#held.restart();
    this.#draw();
  }

  /** A property that was set before the element was defined. */
  #upgrade(name: "renderItem" | "getToken" | "inbox"): void {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete (this as Partial<Pick<BelfryInbox, typeof name>>)[name];
    Object.assign(this, { [name]: value });
  }

  #assemble(): void {
    const page = this.parentElement?.closest<HTMLElement>("[lang]")?.lang;
    const language = spoken(
      languageOf(
        this.lang,
        page,
        attempt(() => navigator.language),
      ),
    );
    const words = wordsOf(language);
    this.#words = words;
    this.#panel?.end();
    this.#tray?.end();
    this.#arrivals?.clear();
    this.#ownLooks.clear();
    const panel = new Panel({
      words,
      language,
      failed: (error) => this.#complaints.fail("An item's data cannot be shown as it is.", error),
      opened: (item) => this.#opened(item),
      drawn: (row) => this.#ownLooks.drawn(row),
      gone: (row) => this.#ownLooks.gone(row),
      settings: () => arrivals.choices(),
      retry: () => this.#held.retry(),
      close: () => this.close(),
    });
    const arrivals = new Arrivals(
      words,
      () => this.#manner(),
      (item) => this.#reveal(item),
    );
    const inline = this.hasAttribute("inline");
    setAttribute(panel.element, "role", inline ? "region" : "dialog");
    const parts = [...(inline ? [] : [this.#bell.element]), panel.element, ...arrivals.elements];
    this.shadowRoot?.replaceChildren(...parts);
    this.#panel = panel;
    this.#arrivals = arrivals;
    this.#tray = inline ? null : new Tray(this.#bell.element, panel.element, () => this.#trayOpened());
    this.#sight.watch(panel.element);
    panel.show(this.inbox);
    this.#draw();
  }

  #turned(inbox: Inbox | null): void {
    this.#panel?.show(inbox);
    this.#draw();
  }

  #changed(state: State): void {
    this.#draw();
    this.dispatchEvent(new CustomEvent("belfry-change", { detail: state }));
  }

  /** At most once a frame; in a page that is hidden, where there are none, now and then. */
  #draw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    const draw = (): void => {
      this.#drawing = false;
      this.#drawNow();
    };
    if (isVisible()) requestAnimationFrame(draw);
    else setTimeout(draw, 250);
  }

  #drawNow(): void {
    const state = this.inbox?.state;
    const { broken, problem } = this.#held;
    const count = (this.getAttribute("badge") === "unread" ? state?.unread : state?.unseen) ?? 0;
    const wrong = problem !== null && (!state || state.status === "refused" || state.version === null);
    this.#bell.draw(count, wrong, this.#words.bell(count));
    if (this.hasAttribute("page-badge")) this.#pageBadge.show(count);
    this.#panel?.draw(broken);
    this.#complaints.say("error", problem);
    this.#complaints.say("warn", state?.pushProblem ?? null);
    this.#see();
  }

  #see(): void {
    this.#sight.see(this.isOpen ? this.inbox : null);
  }

  #arrived(items: readonly Item[]): void {
    this.#bell.ring();
    this.#arrivals?.tell(items);
  }

  #manner(): Manner {
    const looked = this.isOpen && this.#sight.isLooked;
    return { toasts: !looked && this.getAttribute("toasts") !== "off", alerts: this.inbox?.state.leads ?? false };
  }

  #trayOpened(): void {
    this.#arrivals?.clear();
    this.#panel?.draw(this.#held.broken);
  }

  #reveal(item: Item | null): void {
    this.open();
    if (item) this.#panel?.reveal(item);
  }

  /** False when the page takes care of it. */
  #opened(item: Item): boolean {
    const event = new CustomEvent("belfry-open", { detail: item, cancelable: true, bubbles: true, composed: true });
    return this.dispatchEvent(event);
  }
}
