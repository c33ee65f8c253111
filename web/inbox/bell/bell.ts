/** The bell, and the number on it. */

import { h, icon, setAttribute, setText } from "../dom/dom.ts";

const COUNTED = 99;

export class Bell {
  readonly element = h(
    "button",
    { type: "button", class: "bell", part: "bell", "aria-haspopup": "dialog" },
    icon("bell"),
  );
  readonly #badge = h("span", { class: "badge", part: "badge", "aria-hidden": "true", hidden: true });

  constructor() {
    this.element.append(this.#badge);
  }

  /** `wrong`: something is, and the list says what. */
  draw(count: number, wrong: boolean, label: string): void {
    setText(this.#badge, wrong ? "!" : count > COUNTED ? `${COUNTED}+` : String(count));
    this.#badge.classList.toggle("wrong", wrong);
    this.#badge.hidden = !wrong && count === 0;
    setAttribute(this.element, "aria-label", label);
  }

  ring(): void {
    this.element.classList.remove("rung");
    requestAnimationFrame(() => this.element.classList.add("rung"));
  }
}
