/** Applies a change to an item, by the server's rules. */

import type { Item, StateChange, StateName, View } from "../types.ts";

type Time = "seen_at" | "read_at" | "archived_at";

/** Read implies seen; archived implies read. An item that becomes unread leaves the archive. */
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

/** Whether this client knows that kind of change. A newer server may send others. */
export function isKnown(name: string): boolean {
  return name === "added" || REMOVES.has(name) || Object.hasOwn(SETS, name) || Object.hasOwn(CLEARS, name);
}

function concerns(change: StateChange, item: Item): boolean {
  if (change.seqs) return change.seqs.includes(item.seq);
  const { through, kind, topic } = change;
  return item.seq <= (through ?? 0) && (kind ?? item.kind) === item.kind && (topic ?? item.topic) === item.topic;
}

/**
 * The item after the change; null if the change removes it. A time that is set stays as it is. An item that was fetched
 * at a later version than the change's contains the change already.
 */
export function applyChange(item: Item, change: StateChange): Item | null {
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
