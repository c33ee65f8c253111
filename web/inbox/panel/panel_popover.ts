/** The panel as a popover of the bell. The focus goes into the panel when it opens, and back to the bell. */

import { setAttribute } from "../dom/dom.ts";
import { popoverPosition } from "../dom/popover.ts";

const HEIGHT_MAX = 600; // pixels
const GAP = 8;

export class PanelPopover {
  readonly #bell: HTMLButtonElement;
  readonly #panel: HTMLElement;
  readonly #opened: () => void;
  readonly #listening = new AbortController();
  #hadFocus = false;

  /** `opened` is called when the panel opens, before the focus goes in. */
  constructor(bell: HTMLButtonElement, panel: HTMLElement, opened: () => void) {
    this.#bell = bell;
    this.#panel = panel;
    this.#opened = opened;
    panel.popover = "auto";
    bell.popoverTargetElement = panel;
    const { signal } = this.#listening;
    panel.addEventListener("beforetoggle", () => (this.#hadFocus = panel.contains(this.#focused())), { signal });
    panel.addEventListener("toggle", ({ newState }) => this.#toggled(newState === "open"), { signal });
    addEventListener("resize", () => this.#position(), { signal });
    addEventListener("scroll", () => this.#position(), { signal, capture: true, passive: true });
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

  destroy(): void {
    this.#listening.abort();
  }

  #toggled(open: boolean): void {
    setAttribute(this.#bell, "aria-expanded", String(open));
    if (!open) {
      const isLost = document.activeElement === document.body || this.#panel.contains(this.#focused());
      if (this.#hadFocus && isLost) this.#bell.focus();
      return;
    }
    this.#position();
    this.#opened();
    if (!this.#panel.contains(this.#focused())) this.#panel.focus();
  }

  #position(): void {
    if (!this.isOpen) return;
    const { left, top, height } = popoverPosition(this.#bell, this.#panel.offsetWidth, HEIGHT_MAX, GAP);
    Object.assign(this.#panel.style, { left: `${left}px`, top: `${top}px`, height: `${height}px` });
  }

  #focused(): Element | null {
    return (this.#panel.getRootNode() as ShadowRoot).activeElement;
  }
}
