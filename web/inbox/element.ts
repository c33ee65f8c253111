/**
 * `<belfry-inbox api="https://belfry.example.com" push="https://push.example.com" token="…">`: a bell, and an inbox.
 *
 * Attributes: `api`, `push`, `token`; `inline` (the list stands in the page, without a bell); `badge="unread"` (it counts
 * what is unread instead of what is new); `page-badge` (the count is also in the page's title and icon); `toasts="off"`;
 * `share="off"` (a socket of its own in each tab); `theme="light|dark"`; `lang` (else the page's); `poll` (seconds).
 * Properties: `getToken` (asked whenever a token is needed), `inbox` (the library's, or one of your own making),
 * `renderItem` (makes an element that stands in place of an item's own look).
 * Events: `belfry-open` (an item was chosen; `preventDefault()` keeps its link from being followed), `belfry-change`.
 */

import { BelfryError, connect, type GetToken, type Inbox, type Item, type State } from "../client/index.ts";
import { Alerts } from "./alerts.ts";
import { h, icon, setAttribute, setText } from "./dom.ts";
import type { Choice } from "./menu.ts";
import { PageBadge } from "./page_badge.ts";
import { Panel } from "./panel.ts";
import type { Row } from "./row.ts";
import { STYLES } from "./styles.ts";
import { Toasts } from "./toast.ts";
import { type Words, wordsOf } from "./words.ts";

const SEEN_AFTER_MS = 700; // who looks that long has seen it
const MARGIN = 8; // pixels between the panel and the edges of the window
const HEIGHT_MAX = 600;

let sheet: CSSStyleSheet | null = null; // not a <style>: a strict policy lets no page have one

export class BelfryInbox extends HTMLElement {
  static readonly observedAttributes = ["api", "push", "token", "inline", "lang", "badge", "page-badge", "share"];

  /** Makes an element for an item, to stand in place of its own look; null leaves that. */
  renderItem: ((item: Item) => HTMLElement | null) | null = null;

  #getToken: GetToken | null = null;
  #inbox: Inbox | null = null;
  #given = false; // the inbox is somebody else's: they end it
  #broken: BelfryError | null = null;
  #panel: Panel | null = null;
  #toasts: Toasts | null = null;
  #words: Words = wordsOf("en");
  readonly #bell = h(
    "button",
    { type: "button", class: "bell", part: "bell", "aria-haspopup": "dialog" },
    icon("bell"),
  );
  readonly #badge = h("span", { class: "badge", part: "badge", "aria-hidden": "true", hidden: true });
  readonly #live = h("div", { class: "hidden", role: "log", "aria-live": "polite" });
  readonly #pageBadge = new PageBadge();
  readonly #alerts = new Alerts();
  readonly #sight = new IntersectionObserver(([entry]) => this.#sighted(entry?.isIntersecting ?? false));
  #unsubscribe: (() => void)[] = [];
  #left = new AbortController();
  #inSight = false;
  #seeing: ReturnType<typeof setTimeout> | undefined;
  #drawing = false;
  #starting = false;
  #complained = "";

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: false });
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLES);
    }
    root.adoptedStyleSheets = [sheet];
    this.#bell.append(this.#badge);
  }

  get inbox(): Inbox | null {
    return this.#inbox;
  }

  /** Show an inbox that was made by `connect()`; whoever made it closes it. */
  set inbox(inbox: Inbox | null) {
    this.#end();
    this.#given = inbox !== null;
    if (inbox) this.#use(inbox);
    this.#draw();
  }

  get getToken(): GetToken | null {
    return this.#getToken;
  }

  set getToken(get: GetToken | null) {
    this.#getToken = get;
    this.#restart();
  }

  get isOpen(): boolean {
    return this.hasAttribute("inline") || Boolean(this.#panel?.element.matches(":popover-open"));
  }

  /** Open the list, as a click on the bell does. */
  open(): void {
    if (!this.isOpen) this.#panel?.element.showPopover();
  }

  close(): void {
    if (!this.hasAttribute("inline") && this.isOpen) this.#panel?.element.hidePopover();
  }

  connectedCallback(): void {
    for (const name of ["renderItem", "getToken", "inbox"] as const) this.#upgrade(name);
    this.#left.abort();
    this.#left = new AbortController();
    const { signal } = this.#left;
    addEventListener("resize", () => this.#stand(), { signal });
    document.addEventListener("visibilitychange", () => this.#draw(), { signal });
    this.#assemble();
    this.#restart();
  }

  /** Gone for good, unless it is back at once: elements are moved, too. */
  disconnectedCallback(): void {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#left.abort();
      if (!this.#given) this.#end();
      this.#panel?.end();
      this.#panel = null;
      this.#sight.disconnect();
      this.#pageBadge.clear();
      clearTimeout(this.#seeing);
    });
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.#panel || before === now) return;
    if (name === "inline" || name === "lang") this.#assemble();
    else if (name === "token" && now && this.#takeToken(now)) return;
    else if (["api", "push", "token", "share"].includes(name)) this.#restart();
    this.#draw();
  }

  /** A property that was set before the element was defined. */
  #upgrade(name: "renderItem" | "getToken" | "inbox"): void {
    if (!Object.hasOwn(this, name) || name === "renderItem") return;
    const value = this[name];
    delete (this as Partial<Pick<BelfryInbox, typeof name>>)[name];
    Object.assign(this, { [name]: value });
  }

  #assemble(): void {
    const root = this.shadowRoot as ShadowRoot;
    const language = this.lang || this.closest<HTMLElement>("[lang]")?.lang || navigator.language || "en";
    this.#words = wordsOf(language);
    this.#panel?.end();
    this.#toasts?.clear();
    this.#panel = new Panel({
      words: this.#words,
      language,
      opened: (item) => this.#opened(item),
      drawn: (row) => this.#drawn(row),
      gone: (row) => this.#own(row)?.remove(),
      settings: () => this.#settings(),
      retry: () => this.#retry(),
    });
    this.#toasts = new Toasts(this.#words, (item) => this.#reveal(item));
    const inline = this.hasAttribute("inline");
    root.replaceChildren(...(inline ? [] : [this.#bell]), this.#panel.element, this.#toasts.element, this.#live);
    setAttribute(this.#panel.element, "role", inline ? "region" : "dialog");
    if (!inline) this.#makePopover(this.#panel);
    this.#sight.disconnect();
    this.#sight.observe(this.#panel.element);
    this.#panel.show(this.#inbox);
    this.#draw();
  }

  #makePopover(panel: Panel): void {
    panel.element.popover = "auto";
    this.#bell.popoverTargetElement = panel.element;
    let hadFocus = false;
    panel.element.addEventListener("beforetoggle", () => {
      hadFocus = panel.element.contains(this.shadowRoot?.activeElement ?? null);
    });
    panel.element.addEventListener("toggle", (event) => {
      const open = event.newState === "open";
      setAttribute(this.#bell, "aria-expanded", String(open));
      if (!open) {
        if (hadFocus && document.activeElement === document.body) this.#bell.focus();
        return;
      }
      this.#toasts?.clear();
      this.#stand();
      panel.draw(this.#broken);
      if (!panel.element.contains(this.shadowRoot?.activeElement ?? null)) panel.focus();
    });
  }

  /** The panel is below the bell, and inside the window. */
  #stand(): void {
    const panel = this.#panel?.element;
    if (!panel?.matches(":popover-open")) return;
    const bell = this.#bell.getBoundingClientRect();
    const rightToLeft = getComputedStyle(this).direction === "rtl";
    const width = panel.offsetWidth;
    const left = rightToLeft ? bell.left : bell.right - width;
    const below = innerHeight - bell.bottom - MARGIN * 2;
    const above = bell.top - MARGIN * 2;
    const height = Math.min(HEIGHT_MAX, Math.max(below, above));
    panel.style.left = `${Math.max(MARGIN, Math.min(left, innerWidth - width - MARGIN))}px`;
    panel.style.height = panel.style.maxHeight = `${height}px`;
    panel.style.top = `${below >= Math.min(above, HEIGHT_MAX) ? bell.bottom + MARGIN : bell.top - MARGIN - height}px`;
  }

  /** What stands in the attributes takes effect, all at once. */
  #restart(): void {
    if (this.#starting || this.#given) return;
    this.#starting = true;
    queueMicrotask(() => {
      this.#starting = false;
      if (!this.isConnected || this.#given) return;
      this.#end();
      this.#start();
      this.#draw();
    });
  }

  #start(): void {
    const pollSeconds = Number(this.getAttribute("poll"));
    try {
      const inbox = connect({
        api: this.getAttribute("api") ?? "",
        push: this.getAttribute("push"),
        token: this.getAttribute("token"),
        getToken: this.#getToken,
        share: this.getAttribute("share") !== "off",
        ...(pollSeconds > 0 ? { pollSeconds } : {}),
      });
      this.#use(inbox);
    } catch (error) {
      if (!(error instanceof BelfryError)) throw error;
      this.#broken = error;
    }
  }

  #use(inbox: Inbox): void {
    this.#inbox = inbox;
    this.#broken = null;
    this.#panel?.show(inbox);
    this.#unsubscribe = [
      inbox.subscribe((state) => this.#changed(state)),
      inbox.onArrival((items) => this.#arrived(items)),
    ];
  }

  #end(): void {
    for (const stop of this.#unsubscribe.splice(0)) stop();
    if (!this.#given) this.#inbox?.close();
    this.#inbox = null;
    this.#given = false;
    this.#broken = null;
    this.#panel?.show(null);
  }

  /** A new token of the same person goes on with the same inbox. */
  #takeToken(token: string): boolean {
    if (!this.#inbox || this.#given) return false;
    try {
      this.#inbox.setToken(token);
      return true;
    } catch {
      return false;
    }
  }

  #retry(): void {
    if (this.#given || (this.#inbox && this.#inbox.state.status !== "refused")) this.#inbox?.refresh();
    else this.#restart();
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
    if (document.visibilityState === "visible") requestAnimationFrame(draw);
    else setTimeout(draw, 250);
  }

  #drawNow(): void {
    const state = this.#inbox?.state;
    const count = (this.getAttribute("badge") === "unread" ? state?.unread : state?.unseen) ?? 0;
    const wrong = this.#broken !== null || state?.status === "refused";
    setText(this.#badge, wrong ? "!" : count > 99 ? "99+" : String(count));
    this.#badge.classList.toggle("wrong", wrong);
    this.#badge.hidden = !wrong && count === 0;
    setAttribute(this.#bell, "aria-label", this.#words.bell(count));
    if (this.hasAttribute("page-badge")) this.#pageBadge.show(count);
    this.#panel?.draw(this.#broken);
    this.#complain(this.#broken ?? state?.problem ?? null);
    this.#see();
  }

  /** Whoever puts this into a page looks at the console. */
  #complain(problem: BelfryError | null): void {
    const says = problem ? `${problem.message} ${problem.advice}` : "";
    if (says && says !== this.#complained) console.error(`<belfry-inbox>: ${says} (${problem?.code})`);
    this.#complained = says;
  }

  #arrived(items: readonly Item[]): void {
    const last = items.at(-1);
    if (!last) return;
    setText(this.#live, this.#words.arrived(items.length, last.title.slice(0, 200)));
    const listShown = this.isOpen && this.#inSight && document.visibilityState === "visible";
    if (!listShown && this.getAttribute("toasts") !== "off") this.#toasts?.show(items);
    this.#bell.classList.remove("rung");
    requestAnimationFrame(() => this.#bell.classList.add("rung"));
    if (this.#inbox?.state.leads) this.#alerts.tell(items, (item) => this.#reveal(item));
  }

  #reveal(item: Item | null): void {
    this.open();
    if (item) this.#panel?.reveal(item);
  }

  #sighted(inSight: boolean): void {
    this.#inSight = inSight;
    this.#see();
  }

  /** What is in view for a moment is seen. */
  #see(): void {
    const looks = this.#inSight && this.isOpen && document.visibilityState === "visible";
    const due = looks && (this.#inbox?.state.unseen ?? 0) > 0 && this.#inbox?.state.status !== "offline";
    if (!due) {
      clearTimeout(this.#seeing);
      this.#seeing = undefined;
    }
    if (!due || this.#seeing !== undefined) return;
    this.#seeing = setTimeout(() => {
      const done = this.#inbox?.markAllSeen() ?? Promise.resolve();
      const again = (): void => {
        this.#seeing = undefined;
      };
      done.then(again, again); // it is tried again with the next change
    }, SEEN_AFTER_MS);
  }

  /** False when the page takes care of it. */
  #opened(item: Item): boolean {
    const event = new CustomEvent("belfry-open", { detail: item, cancelable: true, bubbles: true, composed: true });
    return this.dispatchEvent(event);
  }

  #drawn(row: Row): void {
    const own = this.renderItem?.(row.item);
    if (!own) return;
    own.slot = slotOf(row);
    this.#own(row)?.remove();
    this.append(own);
  }

  /** What the page shows in place of an item's own look. */
  #own(row: Row): Element | null {
    return this.renderItem && this.querySelector(`:scope > [slot="${slotOf(row)}"]`);
  }

  #settings(): Choice[] {
    const { sound, desktop, desktopDenied } = this.#words;
    const choice = (label: string, alert: "sound" | "desktop"): Choice => {
      const checked = this.#alerts.isOn(alert);
      const choose = async (): Promise<void> => {
        if (!(await this.#alerts.turn(alert, !checked))) setText(this.#live, desktopDenied);
      };
      return { label, checked, choose: () => void choose() };
    };
    return [choice(sound, "sound"), ...(this.#alerts.canNotify ? [choice(desktop, "desktop")] : [])];
  }
}

function slotOf(row: Row): string {
  return `item-${row.item.seq}`;
}
