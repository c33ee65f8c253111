/** The way of each notification: when it was accepted, delivered, announced and seen; all of it measured. */

import { h, setText } from "../inbox/dom/dom.ts";
import type { Inbox, Item } from "../inbox/index.ts";

const SHOWN = 3;
const FIRST_LOOK_MS = 60;
const LOOKS = 14; // each half as long again after the last
const STEPS = ["accepted", "delivered", "announced", "seen"] as const;

type Step = (typeof STEPS)[number];

/** What `GET /v1/notifications/{id}` says, as far as it is used here. */
interface Published {
  readonly created_at: string;
  readonly delivered_at: string | null;
}

class Way {
  readonly element: HTMLElement;
  readonly #cells: Record<Step, HTMLElement>;
  readonly #began = performance.now();
  readonly #ids = new Set<string>();
  #left = 1;

  constructor(what: string, count: number) {
    this.#left = count;
    this.#cells = Object.fromEntries(STEPS.map((step) => [step, this.#cell(step)])) as Record<Step, HTMLElement>;
    const cells = h("ul", { class: "cells" }, ...Object.values(this.#cells));
    this.element = h("li", { class: "way" }, h("p", { class: "what", dir: "auto" }, what), cells);
  }

  get sinceBegin(): number {
    return performance.now() - this.#began;
  }

  reach(step: Step, milliseconds: number): void {
    const cell = this.#cells[step];
    if (cell.dataset.reached) return;
    cell.dataset.reached = "yes";
    setText(cell, inWords(milliseconds));
    cell.setAttribute("aria-label", `${step}: ${inWords(milliseconds)}`);
  }

  skip(step: Step, why: string): void {
    setText(this.#cells[step], "–");
    this.#cells[step].title = why;
  }

  expect(ids: readonly string[]): void {
    for (const id of ids) this.#ids.add(id);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** One of its notifications is on a screen, at this moment of the page's clock. */
  arrived(id: string, at: number): void {
    if (!this.#ids.delete(id)) return;
    this.#left -= 1;
    if (this.#left === 0) this.reach("announced", at - this.#began);
    else setText(this.#cells.announced, `${this.#left.toLocaleString("en")} to go`);
  }

  #cell(step: Step): HTMLElement {
    return h("li", { "data-step": step, "aria-label": `${step}: not yet` }, "…");
  }
}

export class Ways {
  readonly #place: HTMLElement;
  readonly #hint: HTMLElement;
  readonly #arrivals = new Map<string, number>(); // an item may be on a screen before its 202 is here
  #ways: Way[] = [];
  readonly #watched = new Map<string, Way>(); // single notifications that nobody has seen yet

  constructor(place: HTMLElement, hint: HTMLElement) {
    this.#place = place;
    this.#hint = hint;
  }

  /** Do what publishes `count` notifications, and show their way. `inbox` asks for what became of them. */
  async follow(
    what: string,
    inbox: Inbox,
    scopes: readonly string[],
    publish: () => Promise<string[]>,
    count = 1,
  ): Promise<void> {
    const way = new Way(what, count);
    const ids = await publish();
    way.reach("accepted", way.sinceBegin);
    this.#show(way);
    way.expect(ids);
    for (const id of ids) {
      const at = this.#arrivals.get(id);
      if (at !== undefined) way.arrived(id, at);
    }
    const last = ids.at(-1);
    if (count === 1 && last) this.#watched.set(last, way);
    if (count > 1) way.skip("seen", "Shown for a single notification.");
    if (!last || !scopes.includes("notify")) way.skip("delivered", "A token with the scope notify can ask for it.");
    else await this.#waitForDelivery(way, inbox, last);
  }

  /** These are on a screen now. */
  arrived(items: readonly Item[]): void {
    const now = performance.now();
    for (const { id } of items) {
      if (!this.#arrivals.has(id)) this.#arrivals.set(id, now);
      for (const way of this.#ways) if (way.has(id)) way.arrived(id, now);
    }
  }

  /** What the server has told of these since: `seen_at` is its own time once the version has moved on. */
  looked(items: readonly Item[]): void {
    if (this.#watched.size === 0) return;
    for (const item of items) {
      const way = this.#watched.get(item.id);
      if (!way || !item.seen_at || item.version === item.seq) continue;
      way.reach("seen", Date.parse(item.seen_at) - Date.parse(item.created_at));
      this.#watched.delete(item.id);
    }
  }

  #show(way: Way): void {
    this.#hint.hidden = true;
    this.#ways = [way, ...this.#ways].slice(0, SHOWN);
    this.#place.replaceChildren(...this.#ways.map(({ element }) => element));
  }

  async #waitForDelivery(way: Way, inbox: Inbox, id: string): Promise<void> {
    for (let look = 0; look < LOOKS; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, FIRST_LOOK_MS * 1.5 ** look));
      const found = (await inbox.request("GET", `/v1/notifications/${id}`).catch(() => null)) as Published | null;
      if (!found?.delivered_at) continue;
      way.reach("delivered", Date.parse(found.delivered_at) - Date.parse(found.created_at));
      return;
    }
  }
}

function inWords(milliseconds: number): string {
  return milliseconds < 1_000
    ? `${Math.max(1, Math.round(milliseconds))} ms`
    : `${(milliseconds / 1_000).toFixed(1)} s`;
}
