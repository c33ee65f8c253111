/** What somebody looks at for a moment, they have seen. */

import { isVisible, sightObserver } from "../client/browser.ts";
import type { Inbox } from "../client/index.ts";

const SEEN_AFTER_MS = 700;

export class Sight {
  readonly #observer = sightObserver((inSight) => this.#turn(inSight));
  #list: HTMLElement | null = null;
  readonly #changed: () => void;
  #inSight = false;
  #seeing: ReturnType<typeof setTimeout> | undefined;

  /** `changed` is called when there may be something to `see`. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Whether what was given to `watch` is before somebody's eyes. */
  get isLooked(): boolean {
    return isVisible() && (this.#observer ? this.#inSight : isWithinWindow(this.#list));
  }

  watch(list: HTMLElement): void {
    this.#list = list;
    this.#observer?.disconnect();
    this.#observer?.observe(list);
  }

  end(): void {
    this.#observer?.disconnect();
    this.#list = null;
    this.#inSight = false;
    this.#forget();
  }

  /** Mark all as seen that is looked at long enough. */
  see(inbox: Inbox | null): void {
    const due = inbox !== null && this.isLooked && inbox.state.unseen > 0 && inbox.state.status !== "offline";
    if (!due) this.#forget();
    else this.#seeing ??= setTimeout(() => this.#mark(inbox), SEEN_AFTER_MS);
  }

  #mark(inbox: Inbox): void {
    const done = (): void => {
      this.#forget();
      this.#changed(); // something may have come meanwhile
    };
    inbox.markAllSeen().then(done, () => this.#forget()); // refused, it is tried again with the next change
  }

  #forget(): void {
    clearTimeout(this.#seeing);
    this.#seeing = undefined;
  }

  #turn(inSight: boolean): void {
    this.#inSight = inSight;
    this.#changed();
  }
}

function isWithinWindow(element: HTMLElement | null): boolean {
  const { top = 0, bottom = 0, height = 0 } = element?.getBoundingClientRect() ?? {};
  return height > 0 && bottom > 0 && top < innerHeight;
}
