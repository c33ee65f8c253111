/** Tells the user of new items: by a toast, to a screen reader, and by the alerts that they have turned on. */

import type { Item } from "../../client/index.ts";
import { h, setText } from "../dom/dom.ts";
import type { Choice } from "../dom/menu.ts";
import type { Words } from "../i18n/words.ts";
import { sanitized } from "../list/sanitize.ts";
import { type Alert, Alerts } from "./alerts.ts";
import { Toasts } from "./toasts.ts";

const BATCH_MS = 150; // items that arrive within it are told together
const READ_ALOUD_MAX = 200; // characters of a title

/** How the user is told at the moment. */
export interface Means {
  /** Not while the user looks at the list. */
  readonly toasts: boolean;
  /** In one tab of the browser only. */
  readonly alerts: boolean;
}

export class Arrivals {
  readonly elements: readonly HTMLElement[];
  readonly #words: Words;
  readonly #toasts: Toasts;
  readonly #live = h("div", { class: "hidden", role: "log", "aria-live": "polite" });
  readonly #alerts = new Alerts();
  readonly #means: () => Means;
  readonly #reveal: (item: Item | null) => void;
  #batch: Item[] = [];

  /** `reveal` is called with the item that the user chooses; null for a toast that stands for several. */
  constructor(words: Words, means: () => Means, reveal: (item: Item | null) => void) {
    this.#words = words;
    this.#means = means;
    this.#reveal = reveal;
    this.#toasts = new Toasts(words, reveal);
    this.elements = [this.#toasts.element, this.#live];
  }

  add(items: readonly Item[]): void {
    if (this.#batch.length === 0) setTimeout(() => this.#tell(this.#batch.splice(0)), BATCH_MS);
    this.#batch.push(...items.map(sanitized));
  }

  clear(): void {
    this.#toasts.clear();
  }

  /** The alerts that can be turned on and off on this device. */
  choices(): Choice[] {
    const { sound, desktop } = this.#words;
    return [this.#choice(sound, "sound"), ...(this.#alerts.canNotify ? [this.#choice(desktop, "desktop")] : [])];
  }

  #tell(items: readonly Item[]): void {
    const last = items.at(-1);
    if (!last) return;
    const { toasts, alerts } = this.#means();
    setText(this.#live, this.#words.arrived(items.length, last.title.slice(0, READ_ALOUD_MAX)));
    if (toasts) this.#toasts.add(items);
    if (alerts) this.#alerts.tell(items, (item) => this.#reveal(item));
  }

  #choice(label: string, alert: Alert): Choice {
    const checked = this.#alerts.isOn(alert);
    const toggle = async (): Promise<void> => {
      if (!(await this.#alerts.turn(alert, !checked))) this.#toasts.addText(this.#words.desktopDenied);
    };
    return { label, checked, choose: () => void toggle() };
  }
}
