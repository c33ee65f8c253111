/** What is wrong, what to do about it, and a button that tries again. */

import type { BelfryError } from "../../client/index.ts";
import { h, icon } from "../dom/dom.ts";
import { inWords, type Words } from "../i18n/translations.ts";

export class Notice {
  readonly element = h("div", { class: "notice", part: "notice", role: "alert", hidden: true });
  readonly #words: Words;
  readonly #retry: () => void;
  #says = "";

  constructor(words: Words, retry: () => void) {
    this.#words = words;
    this.#retry = retry;
  }

  /** `alone`: there is nothing else to show. */
  draw(problem: BelfryError | null, alone: boolean): void {
    this.element.hidden = !problem;
    this.element.classList.toggle("alone", alone);
    const { what, advice } = problem ? inWords(this.#words, problem) : { what: "", advice: "" };
    if (this.#says === what + advice) return; // a screen reader would say it again
    this.#says = what + advice;
    const retry = h("button", { type: "button", class: "plain", onclick: () => this.#retry() }, this.#words.retry);
    const text = h("p", {}, h("strong", {}, what), " ", ...withCode(advice));
    this.element.replaceChildren(...(problem ? [icon("alert"), text, retry] : []));
  }
}

/** What stands between backticks is code. */
function withCode(text: string): (string | HTMLElement)[] {
  return text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));
}
