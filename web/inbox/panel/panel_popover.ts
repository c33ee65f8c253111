/** The panel as a tray that the bell opens: below it, inside the window; the focus goes in, and back. */

import { beside } from "../dom/popover.ts";
import { setAttribute } from "../dom/dom.ts";

const HEIGHT_MAX = 600; // pixels
const GAP = 8;

export class Tray {
  readonly #bell: HTMLButtonElement;
  readonly #panel: HTMLElement;
  readonly #opened: () => void;
  readonly #end = new AbortController();
  #hadFocus = false;

  /** `opened` is called when it is, before the focus goes in. */
  constructor(bell: HTMLButtonElement, panel: HTMLElement, opened: () => void) {
    this.#bell = bell;
    this.#panel = panel;
    this.#opened = opened;
    panel.popover = "auto";
    bell.popoverTargetElement = panel;
    const { signal } = this.#end;
    panel.addEventListener("beforetoggle", () => (this.#hadFocus = panel.contains(this.#focused())), { signal });
    panel.addEventListener("toggle", ({ newState }) => this.#turned(newState === "open"), { signal });
    addEventListener("resize", () => this.#stand(), { signal });
    addEventListener("scroll", () => this.#stand(), { signal, capture: true, passive: true });
  }

  get isOpen(): boolean {
    return this.#panel.matches(":popover-open");
  }

  open(): void {
    if (!this.isOpen) this.#panel.showPopover();
  }

  close(): void {
    if (this.isOpen) this.#panel.hidePopover();
  }

  end(): void {
    this.#end.abort();
  }

  #turned(open: boolean): void {
    setAttribute(this.#bell, "aria-expanded", String(open));
    if (!open) {
      const isNowhere = document.activeElement === document.body || this.#panel.contains(this.#focused());
      if (this.#hadFocus && isNowhere) this.#bell.focus();
      return;
    }
    this.#stand();
    this.#opened();
    if (!this.#panel.contains(this.#focused())) this.#panel.focus();
  }

  #stand(): void {
    if (!this.isOpen) return;
    const { left, top, height } = beside(this.#bell, this.#panel.offsetWidth, HEIGHT_MAX, GAP);
    Object.assign(this.#panel.style, { left: `${left}px`, top: `${top}px`, height: `${height}px` });
  }

  #focused(): Element | null {
    return (this.#panel.getRootNode() as ShadowRoot).activeElement;
  }
}
