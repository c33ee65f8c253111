/** Says what arrives: to a screen reader, in a corner of the window, by a sound; what comes in a row is said at once. */

import type { Item } from "../../client/index.ts";
import { type Alert, Alerts } from "./alerts.ts";
import { h, setText } from "../dom/dom.ts";
import { legible } from "../list/sanitize.ts";
import type { Choice } from "../panel/menu.ts";
import { Toasts } from "./toasts.ts";
import type { Words } from "../i18n/translations.ts";

const IN_A_ROW_MS = 150;
const READ_OUT = 200; // characters of a title

/** How somebody is told at the moment. */
export interface Manner {
  /** In a toast: not where the list itself is looked at. */
  readonly toasts: boolean;
  /** By what they chose on this device: in one tab of all. */
  readonly alerts: boolean;
}

export class Arrivals {
  readonly elements: readonly HTMLElement[];
  readonly #words: Words;
  readonly #toasts: Toasts;
  readonly #live = h("div", { class: "hidden", role: "log", "aria-live": "polite" });
  readonly #alerts = new Alerts();
  readonly #manner: () => Manner;
  readonly #reveal: (item: Item | null) => void;
  #row: Item[] = [];

  /** `reveal` is called with an item that was chosen; null when several were. */
  constructor(words: Words, manner: () => Manner, reveal: (item: Item | null) => void) {
    this.#words = words;
    this.#manner = manner;
    this.#reveal = reveal;
    this.#toasts = new Toasts(words, reveal);
    this.elements = [this.#toasts.element, this.#live];
  }

  tell(items: readonly Item[]): void {
    if (this.#row.length === 0) setTimeout(() => this.#tell(this.#row.splice(0)), IN_A_ROW_MS);
    this.#row.push(...items.map(legible));
  }

  /** The list is looked at: its toasts have done their work. */
  clear(): void {
    this.#toasts.clear();
  }

  /** What one may turn on and off on this device. */
  choices(): Choice[] {
    const { sound, desktop } = this.#words;
    return [this.#choice(sound, "sound"), ...(this.#alerts.canNotify ? [this.#choice(desktop, "desktop")] : [])];
  }

  #tell(items: readonly Item[]): void {
    const last = items.at(-1);
    if (!last) return;
    const { toasts, alerts } = this.#manner();
    setText(this.#live, this.#words.arrived(items.length, last.title.slice(0, READ_OUT)));
    if (toasts) this.#toasts.show(items);
    if (alerts) this.#alerts.tell(items, (item) => this.#reveal(item));
  }

  #choice(label: string, alert: Alert): Choice {
    const checked = this.#alerts.isOn(alert);
    const turn = async (): Promise<void> => {
      if (!(await this.#alerts.turn(alert, !checked))) this.#toasts.say(this.#words.desktopDenied);
    };
    return { label, checked, choose: () => void turn() };
  }
}
