/** The timeline of each notification: when it was accepted, delivered, announced and seen, as measured. */

import { h, setText } from "../inbox/dom/dom.ts";
import type { Inbox, Item } from "../inbox/index.ts";

const SHOWN = 3;
const FIRST_POLL_MS = 60;
const POLLS = 14; // each interval is half as long again as the last
const STEPS = ["accepted", "delivered", "announced", "seen"] as const;

type Step = (typeof STEPS)[number];

/** The part of `GET /v1/notifications/{id}` that is used here. */
interface Published {
  readonly created_at: string;
  readonly delivered_at: string | null;
}

class Timeline {
  readonly element: HTMLElement;
  readonly #cells: Record<Step, HTMLElement>;
  readonly #began = performance.now();
  readonly #ids = new Set<string>();
  #remaining = 1;

  constructor(what: string, count: number) {
    this.#remaining = count;
    this.#cells = Object.fromEntries(STEPS.map((step) => [step, this.#cell(step)])) as Record<Step, HTMLElement>;
    const cells = h("ul", { class: "cells" }, ...Object.values(this.#cells));
    this.element = h("li", { class: "timeline" }, h("p", { class: "what", dir: "auto" }, what), cells);
  }

  get elapsed(): number {
    return performance.now() - this.#began;
  }

  reach(step: Step, milliseconds: number): void {
    const cell = this.#cells[step];
    if (cell.dataset.reached) return;
    cell.dataset.reached = "yes";
    setText(cell, formatted(milliseconds));
    cell.setAttribute("aria-label", `${step}: ${formatted(milliseconds)}`);
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

  /** One of the notifications has arrived on a screen; `at` is a time of the page's clock. */
  arrived(id: string, at: number): void {
    if (!this.#ids.delete(id)) return;
    this.#remaining -= 1;
    if (this.#remaining === 0) this.reach("announced", at - this.#began);
    else setText(this.#cells.announced, `${this.#remaining.toLocaleString("en")} to go`);
  }

  #cell(step: Step): HTMLElement {
    return h("li", { "data-step": step, "aria-label": `${step}: not yet` }, "…");
  }
}

export class Timelines {
  readonly #place: HTMLElement;
  readonly #hint: HTMLElement;
  readonly #arrivals = new Map<string, number>(); // times by id; an item may arrive before the 202 that names its id
  #timelines: Timeline[] = [];
  readonly #watched = new Map<string, Timeline>(); // by id: single notifications that are not seen yet

  constructor(place: HTMLElement, hint: HTMLElement) {
    this.#place = place;
    this.#hint = hint;
  }

  /** Publish `count` notifications and show their timeline. `inbox` is asked whether they were delivered. */
  async follow(
    what: string,
    inbox: Inbox,
    scopes: readonly string[],
    publish: () => Promise<string[]>,
    count = 1,
  ): Promise<void> {
    const timeline = new Timeline(what, count);
    const ids = await publish();
    timeline.reach("accepted", timeline.elapsed);
    this.#show(timeline);
    timeline.expect(ids);
    for (const id of ids) {
      const at = this.#arrivals.get(id);
      if (at !== undefined) timeline.arrived(id, at);
    }
    const last = ids.at(-1);
    if (count === 1 && last) this.#watched.set(last, timeline);
    if (count > 1) timeline.skip("seen", "Shown for a single notification.");
    if (!last || !scopes.includes("notify"))
      timeline.skip("delivered", "A token with the scope notify can ask for it.");
    else await this.#waitForDelivery(timeline, inbox, last);
  }

  /** These items have just arrived on a screen. */
  arrived(items: readonly Item[]): void {
    const now = performance.now();
    for (const { id } of items) {
      if (!this.#arrivals.has(id)) this.#arrivals.set(id, now);
      for (const timeline of this.#timelines) if (timeline.has(id)) timeline.arrived(id, now);
    }
  }

  /** These items may have been seen. `seen_at` is the server's time once the item's version has changed. */
  updated(items: readonly Item[]): void {
    if (this.#watched.size === 0) return;
    for (const item of items) {
      const timeline = this.#watched.get(item.id);
      if (!timeline || !item.seen_at || item.version === item.seq) continue;
      timeline.reach("seen", Date.parse(item.seen_at) - Date.parse(item.created_at));
      this.#watched.delete(item.id);
    }
  }

  #show(timeline: Timeline): void {
    this.#hint.hidden = true;
    this.#timelines = [timeline, ...this.#timelines].slice(0, SHOWN);
    this.#place.replaceChildren(...this.#timelines.map(({ element }) => element));
  }

  async #waitForDelivery(timeline: Timeline, inbox: Inbox, id: string): Promise<void> {
    for (let poll = 0; poll < POLLS; poll += 1) {
      await new Promise((resolve) => setTimeout(resolve, FIRST_POLL_MS * 1.5 ** poll));
      const found = (await inbox.request("GET", `/v1/notifications/${id}`).catch(() => null)) as Published | null;
      if (!found?.delivered_at) continue;
      timeline.reach("delivered", Date.parse(found.delivered_at) - Date.parse(found.created_at));
      return;
    }
  }
}

function formatted(milliseconds: number): string {
  return milliseconds < 1_000
    ? `${Math.max(1, Math.round(milliseconds))} ms`
    : `${(milliseconds / 1_000).toFixed(1)} s`;
}
