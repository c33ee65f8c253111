/** How far each view is loaded, page by page. */

import { type Page, type View, VIEWS } from "../types.ts";

/** All items of a view from the newest to `floor` are loaded. */
interface Position {
  readonly floor: number;
  /** The cursor of the next page: undefined before the first page, null after the last one. */
  readonly cursor: string | null | undefined;
  readonly generation: number;
}

/** A page to ask the server for. */
export interface PageRequest {
  readonly view: View;
  readonly cursor: string | null;
  readonly generation: number;
}

export class PageCursors {
  readonly #positions = Object.fromEntries(VIEWS.map((view) => [view, start(0)])) as Record<View, Position>;

  /** The page that continues a view. */
  next(view: View): PageRequest {
    const { cursor, generation } = this.#positions[view];
    return { view, cursor: cursor ?? null, generation };
  }

  /** False if the view was reset after this request was made. */
  isCurrent({ view, generation }: PageRequest): boolean {
    return generation === this.#positions[view].generation;
  }

  /** This page is loaded. */
  advance({ view }: PageRequest, { items, next_cursor: cursor }: Page): void {
    const { floor, generation } = this.#positions[view];
    const reached = cursor === null ? 0 : Math.min(floor, ...items.map((item) => item.seq));
    this.#positions[view] = { floor: reached, cursor, generation };
  }

  /** No page of the view is loaded any more. */
  reset(view: View): void {
    this.#positions[view] = start(this.#positions[view].generation + 1);
  }

  /** An unread item is never archived, so view `unread` is complete as far down as view `all` is. */
  floor(view: View): number {
    const own = this.#positions[view].floor;
    return view === "unread" ? Math.min(own, this.#positions.all.floor) : own;
  }

  hasMore(view: View): boolean {
    return this.#positions[view].cursor !== null;
  }

  /** Whether the first page of the view was loaded. */
  isBegun(view: View): boolean {
    return this.#positions[view].cursor !== undefined;
  }
}

function start(generation: number): Position {
  return { floor: Number.POSITIVE_INFINITY, cursor: undefined, generation };
}
