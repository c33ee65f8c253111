/** The tabs above the list, one for each view. */

import { type View, VIEWS } from "../../client/index.ts";
import { h, setAttribute } from "../dom/dom.ts";
import type { Words } from "../i18n/words.ts";

export class ViewTabs {
  readonly element: HTMLElement;
  view: View = "all";
  readonly #tabs: Record<View, HTMLButtonElement>;
  readonly #list: HTMLElement;
  readonly #chosen: () => void;

  /** `list` is the tabs' panel. `chosen` is called when the user chooses another view. */
  constructor(words: Words, list: HTMLElement, chosen: () => void) {
    this.#list = list;
    this.#chosen = chosen;
    const tab = (view: View): HTMLButtonElement => {
      const attributes = { type: "button", role: "tab", id: `tab-${view}`, "aria-controls": list.id };
      return h("button", { ...attributes, onclick: () => this.choose(view) }, words.views[view]);
    };
    this.#tabs = Object.fromEntries(VIEWS.map((view) => [view, tab(view)])) as Record<View, HTMLButtonElement>;
    const attributes = { class: "tabs", part: "tabs", role: "tablist", "aria-label": words.title };
    this.element = h("div", attributes, ...Object.values(this.#tabs));
    this.element.addEventListener("keydown", (event) => this.#pressed(event));
    this.#draw();
  }

  choose(view: View): void {
    if (this.view === view) return;
    this.view = view;
    this.#draw();
    this.#chosen();
  }

  focus(): void {
    this.#tabs[this.view].focus();
  }

  #draw(): void {
    for (const view of VIEWS) {
      const chosen = view === this.view;
      setAttribute(this.#tabs[view], "aria-selected", String(chosen));
      setAttribute(this.#tabs[view], "part", chosen ? "tab tab-selected" : "tab");
      this.#tabs[view].tabIndex = chosen ? 0 : -1;
    }
    setAttribute(this.#list, "aria-labelledby", this.#tabs[this.view].id);
  }

  #pressed(event: KeyboardEvent): void {
    const rightToLeft = getComputedStyle(this.element).direction === "rtl";
    const here = VIEWS.indexOf(this.view);
    const forward = here + (rightToLeft ? -1 : 1);
    const back = here - (rightToLeft ? -1 : 1);
    const targets: Record<string, number> = { ArrowRight: forward, ArrowLeft: back, Home: 0, End: -1 };
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    this.choose(VIEWS.at(target % VIEWS.length) ?? "all");
    this.focus();
  }
}
