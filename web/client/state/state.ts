/** The public state of an inbox. */

import type { BelfryError } from "../errors.ts";
import type { Item } from "../types.ts";

/**
 * - `syncing`: the inbox is loading or catching up.
 * - `online`: the items are up to date, and changes arrive in real time.
 * - `polling`: there is no socket; the items are a few seconds old at most.
 * - `offline`: the network is gone, or `pause()` was called; the items are those of before.
 * - `refused`: retrying does not help; `problem` says what has to be mended.
 */
export type Status = "syncing" | "online" | "polling" | "offline" | "refused";

/** An immutable snapshot. Each change creates a new object; without a change the object stays the same. */
export interface State {
  readonly status: Status;
  /** The last error of the API, or of the changes that wait to be sent to it. */
  readonly problem: BelfryError | null;
  /** Why there is no socket although `push` is set. */
  readonly pushProblem: BelfryError | null;
  /** The loaded items of view `all`, newest first. */
  readonly items: readonly Item[];
  /** Counts the whole inbox, whether or not its items are loaded. */
  readonly unread: number;
  readonly unseen: number;
  /** How many of the user's changes wait to be sent. They are shown as done. */
  readonly waiting: number;
  /** Null until the inbox is loaded for the first time. */
  readonly version: number | null;
  readonly epoch: string | null;
  /** When the token expires. Null until that is near, and if `getToken` renews it. */
  readonly expiresAt: string | null;
  /** Whether this tab holds the socket for all tabs of the browser. */
  readonly leads: boolean;
}

export interface List {
  readonly items: readonly Item[];
  /** Whether there are older items; `loadMore` fetches them. */
  readonly hasMore: boolean;
  readonly loading: boolean;
  /** Whether the first page was loaded. Before that, the list is empty whatever the inbox holds. */
  readonly begun: boolean;
}
