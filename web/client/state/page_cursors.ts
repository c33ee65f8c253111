/** How far down each view is held, page by page. */

import { type Page, type View, VIEWS } from "../types.ts";

/** All items of a view from the newest to `floor`; `cursor` leads on from there. */
interface Depth {
  readonly floor: number;
  readonly cursor: string | null | undefined; // undefined: no page of it was fetched yet; null: it is held to its end
  readonly generation: number;
}

/** A page that was asked for. */
export interface Request {
  readonly view: View;
  readonly cursor: string | null;
  readonly generation: number;
}

export class Depths {
  readonly #depths = Object.fromEntries(VIEWS.map((view) => [view, fresh(0)])) as Record<View, Depth>;

  /** The page that continues a view. */
  next(view: View): Request {
    const { cursor, generation } = this.#depths[view];
    return { view, cursor: cursor ?? null, generation };
  }

  /** Whether the view was not begun again since this was asked for. */
  awaits({ view, generation }: Request): boolean {
    return generation === this.#depths[view].generation;
  }

  /** This page is held, too. */
  hold({ view }: Request, { items, next_cursor: cursor }: Page): void {
    const { floor, generation } = this.#depths[view];
    const reached = cursor === null ? 0 : Math.min(floor, ...items.map((item) => item.seq));
    this.#depths[view] = { floor: reached, cursor, generation };
  }

  /** Nothing of it is held any more. */
  beginAgain(view: View): void {
    this.#depths[view] = fresh(this.#depths[view].generation + 1);
  }

  /** What is unread is not archived: view `unread` is complete as far as view `all` is. */
  floor(view: View): number {
    const own = this.#depths[view].floor;
    return view === "unread" ? Math.min(own, this.#depths.all.floor) : own;
  }

  hasMore(view: View): boolean {
    return this.#depths[view].cursor !== null;
  }

  /** Whether a page of it was ever fetched. */
  isBegun(view: View): boolean {
    return this.#depths[view].cursor !== undefined;
  }
}

function fresh(generation: number): Depth {
  return { floor: Number.POSITIVE_INFINITY, cursor: undefined, generation };
}
