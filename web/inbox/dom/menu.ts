/** A popup menu at a button. Escape and Tab close it, and the focus returns to the button. */

import { h } from "./dom.ts";
import { popoverPosition } from "./popover.ts";

const GAP = 4; // pixels

export interface Choice {
  readonly label: string;
  readonly danger?: boolean;
  /** For a setting that is on or off. */
  readonly checked?: boolean;
  readonly choose: () => void;
}

export class Menu {
  readonly element = h("div", { class: "menu", part: "menu", role: "menu", popover: "auto" });
  #button: HTMLElement | null = null;

  constructor() {
    this.element.addEventListener("keydown", (event) => this.#pressed(event));
    this.element.addEventListener("toggle", (event) => {
      const open = event.newState === "open";
      this.#button?.setAttribute("aria-expanded", String(open));
      if (!open) this.#button = null;
    });
  }

  open(button: HTMLElement, label: string, choices: readonly Choice[]): void {
    this.#button = button;
    this.element.setAttribute("aria-label", label);
    this.element.replaceChildren(...choices.map((choice) => this.#entry(choice)));
    this.element.showPopover();
    this.#position(button);
    (this.element.firstElementChild as HTMLElement | null)?.focus();
  }

  #entry({ label, danger = false, checked, choose }: Choice): HTMLElement {
    const role = checked === undefined ? "menuitem" : "menuitemcheckbox";
    const entry = h("button", { type: "button", role, tabindex: "-1", class: danger ? "danger" : "" }, label);
    if (checked !== undefined) entry.setAttribute("aria-checked", String(checked));
    entry.addEventListener("click", (event) => {
      event.stopPropagation();
      const button = this.#button;
      this.element.hidePopover();
      button?.focus();
      choose();
    });
    return entry;
  }

  #position(button: HTMLElement): void {
    const { left, top } = popoverPosition(button, this.element.offsetWidth, this.element.offsetHeight, GAP);
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px` });
  }

  #pressed(event: KeyboardEvent): void {
    const entries = [...this.element.children] as HTMLElement[];
    const root = this.element.getRootNode() as ShadowRoot;
    const here = entries.indexOf(root.activeElement as HTMLElement);
    const steps: Record<string, number> = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: -1 };
    const button = this.#button;
    if (event.key in steps) {
      entries.at((steps[event.key] ?? 0) % entries.length)?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      this.element.hidePopover();
      button?.focus();
    } else {
      return;
    }
    event.stopPropagation();
    event.preventDefault();
  }
}
