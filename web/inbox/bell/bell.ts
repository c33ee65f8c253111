/** The bell button, with a badge. */

import { h, icon, setAttribute, setText } from "../dom/dom.ts";

const COUNT_MAX = 99;

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

  /** `hasProblem`: the badge shows an exclamation mark; the panel shows the problem. */
  draw(count: number, hasProblem: boolean, label: string): void {
    setText(this.#badge, hasProblem ? "!" : count > COUNT_MAX ? `${COUNT_MAX}+` : String(count));
    this.#badge.classList.toggle("wrong", hasProblem);
    this.#badge.hidden = !hasProblem && count === 0;
    setAttribute(this.element, "aria-label", label);
  }

  ring(): void {
    this.element.classList.remove("rung");
    requestAnimationFrame(() => this.element.classList.add("rung"));
  }
}
