/** What a change does to an item: the same as the server did to it. */

import type { Arrival, Change, Item, StateChange, StateName, View } from "../types.ts";

type Time = "seen_at" | "read_at" | "archived_at";

/** Read implies seen; archived implies read. What is made unread leaves the archive. */
const SETS: Partial<Record<StateName, readonly [...Time[], Time]>> = {
  seen: ["seen_at"],
  read: ["seen_at", "read_at"],
  archived: ["seen_at", "read_at", "archived_at"],
};
const CLEARS: Partial<Record<StateName, readonly Time[]>> = {
  unread: ["read_at", "archived_at"],
  unarchived: ["archived_at"],
};
const REMOVES: ReadonlySet<string> = new Set<StateName>(["deleted", "recalled", "expired"]);

/** Whether this client knows that kind of change; a newer server may have more of them. */
export function isKnown(name: string): boolean {
  return name === "added" || REMOVES.has(name) || Object.hasOwn(SETS, name) || Object.hasOwn(CLEARS, name);
}

/** Whether it has what the rule needs of an item. */
export function isItem(answer: unknown): answer is Item {
  const { seq, version } = (answer ?? {}) as Partial<Item>;
  return Number.isInteger(seq) && Number.isInteger(version);
}

/** Whether it has what the rule needs of a change, be it of a kind that is known here or not. */
export function isChange(answer: unknown): answer is Change {
  const { version, change, item } = (answer ?? {}) as Partial<Arrival>;
  return Number.isInteger(version) && typeof change === "string" && (change !== "added" || isItem(item));
}

export function concerns(change: StateChange, item: Item): boolean {
  if (change.seqs) return change.seqs.includes(item.seq);
  const { through, kind, topic } = change;
  return item.seq <= (through ?? 0) && (kind ?? item.kind) === item.kind && (topic ?? item.topic) === item.topic;
}

/**
 * The item after the change, null when it is gone. What is so already keeps its times; an item that was fetched at a
 * later version than the change's has it in it, whatever its state is since then.
 */
export function after(item: Item, change: StateChange): Item | null {
  if (!concerns(change, item)) return item;
  if (REMOVES.has(change.change)) return null;
  const sets = SETS[change.change] ?? [];
  const last = sets.at(-1);
  if (item.version >= change.version || (last && item[last])) return item;
  const times: Partial<Record<Time, string | null>> = {};
  for (const name of sets) times[name] = item[name] ?? change.at;
  for (const name of CLEARS[change.change] ?? []) times[name] = null;
  return { ...item, ...times, version: change.version };
}

export function isIn(view: View, item: Item): boolean {
  if (view === "unread") return !item.read_at;
  return (view === "archived") === Boolean(item.archived_at);
}
