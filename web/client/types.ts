/** The types of Belfry's API and socket. Times are RFC 3339 in UTC. */

export type Severity = "none" | "low" | "medium" | "high";

/** One recipient's copy of a notification. `seq` is its id in this inbox. The texts are plain text, not HTML. */
export interface Item {
  readonly seq: number;
  readonly version: number;
  readonly id: string;
  readonly kind: string;
  readonly actor: string | null;
  readonly title: string;
  readonly body: string | null;
  readonly url: string | null;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly severity: Severity;
  readonly topic: string | null;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly seen_at: string | null;
  readonly read_at: string | null;
  readonly archived_at: string | null;
}

export interface Arrival {
  readonly version: number;
  readonly change: "added";
  readonly item: Item;
}

export type StateName = "seen" | "read" | "unread" | "archived" | "unarchived" | "deleted" | "recalled" | "expired";

/** A change of the items in `seqs`, or of all up to `through` that have the `kind` and `topic`, if those are given. */
export interface StateChange {
  readonly version: number;
  readonly change: StateName;
  readonly seqs: readonly number[] | null;
  readonly through: number | null;
  readonly kind?: string | null;
  readonly topic?: string | null;
  readonly at: string;
}

export type Change = Arrival | StateChange;

/** The counts of the whole inbox at a version. `epoch` names the history that the version belongs to. */
export interface Counts {
  readonly unread: number;
  readonly unseen: number;
  readonly version: number;
  readonly epoch: string;
}

/** A change as the socket announces it, with the counts after it. */
export type Announcement = Change & Counts;

export interface Page extends Counts {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

export interface Changes extends Counts {
  readonly changes: readonly Change[];
  readonly more: boolean;
}

/** `all` shows the items that are not archived; `unread` and `archived` show those that are. */
export type View = "all" | "unread" | "archived";

export const VIEWS: readonly View[] = ["all", "unread", "archived"];
