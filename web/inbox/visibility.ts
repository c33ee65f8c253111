/** Marks the items of a list as seen once the user has looked at the list for a moment. */

import { intersectionObserver, isVisible } from "../client/browser.ts";
import type { Inbox } from "../client/index.ts";

const SEEN_AFTER_MS = 700;

export class Visibility {
  readonly #observer = intersectionObserver((isInWindow) => this.#update(isInWindow));
  readonly #changed: () => void;
  #list: HTMLElement | null = null;
  #isInWindow = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `changed` is called when `markSeen` is to be called. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Whether the user can see the list. */
  get isListVisible(): boolean {
    return isVisible() && (this.#observer ? this.#isInWindow : isWithinWindow(this.#list));
  }

  watch(list: HTMLElement): void {
    this.#list = list;
    this.#observer?.disconnect();
    this.#observer?.observe(list);
  }

  stop(): void {
    this.#observer?.disconnect();
    this.#list = null;
    this.#isInWindow = false;
    this.#cancel();
  }

  /** Mark all items as seen if the list stays visible long enough. */
  markSeen(inbox: Inbox | null): void {
    const isDue = inbox !== null && this.isListVisible && inbox.state.unseen > 0 && inbox.state.status !== "offline";
    if (!isDue) this.#cancel();
    else this.#timer ??= setTimeout(() => this.#mark(inbox), SEEN_AFTER_MS);
  }

  #mark(inbox: Inbox): void {
    const done = (): void => {
      this.#cancel();
      this.#changed(); // more items may have arrived meanwhile
    };
    inbox.markAllSeen().then(done, () => this.#cancel()); // if refused, the next change tries again
  }

  #cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #update(isInWindow: boolean): void {
    this.#isInWindow = isInWindow;
    this.#changed();
  }
}

function isWithinWindow(element: HTMLElement | null): boolean {
  const { top = 0, bottom = 0, height = 0 } = element?.getBoundingClientRect() ?? {};
  return height > 0 && bottom > 0 && top < innerHeight;
}
