/** An error with advice and a button to retry. */

import type { BelfryError } from "../../client/index.ts";
import { h, icon } from "../dom/dom.ts";
import { problemText } from "../i18n/translations.ts";
import type { Words } from "../i18n/words.ts";

export class Notice {
  readonly element = h("div", { class: "notice", part: "notice", role: "alert", hidden: true });
  readonly #words: Words;
  readonly #retry: () => void;
  #drawn = "";

  constructor(words: Words, retry: () => void) {
    this.#words = words;
    this.#retry = retry;
  }

  /** `alone`: the panel shows nothing else. */
  draw(problem: BelfryError | null, alone: boolean): void {
    this.element.hidden = !problem;
    this.element.classList.toggle("alone", alone);
    const { what, advice } = problem ? problemText(this.#words, problem) : { what: "", advice: "" };
    if (this.#drawn === what + advice) return; // or a screen reader would read it again
    this.#drawn = what + advice;
    const retry = h("button", { type: "button", class: "plain", onclick: () => this.#retry() }, this.#words.retry);
    const text = h("p", {}, h("strong", {}, what), " ", ...withCode(advice));
    this.element.replaceChildren(...(problem ? [icon("alert"), text, retry] : []));
  }
}

/** Text between backticks becomes code. */
function withCode(text: string): (string | HTMLElement)[] {
  return text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));
}
