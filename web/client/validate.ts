/** Checks items and changes that come from outside, as far as the replica needs it. */

import type { Arrival, Change, Item } from "./types.ts";

export function isItem(value: unknown): value is Item {
  const { seq, version } = (value ?? {}) as Partial<Item>;
  return Number.isInteger(seq) && Number.isInteger(version);
}

/** Whether it is a change, of a kind that this client knows or not. */
export function isChange(value: unknown): value is Change {
  const { version, change, item } = (value ?? {}) as Partial<Arrival>;
  return Number.isInteger(version) && typeof change === "string" && (change !== "added" || isItem(item));
}
