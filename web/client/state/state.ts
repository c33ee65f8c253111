/** What an inbox is told at its making, and what it tells its listeners. */

import type { Browser } from "../browser.ts";
import type { BelfryError } from "../errors.ts";
import type { OpenSocket } from "../transport/socket.ts";
import type { GetToken } from "../transport/tokens.ts";
import type { Item } from "../types.ts";

export interface Options {
  /** The API's address, such as `https://belfry.example.com`, or "" where it is this page's own. */
  readonly api: string;
  /** The push server's address; without one the inbox polls. */
  readonly push?: string | null;
  readonly token?: string | null;
  /** Asked for a token whenever one is needed: at first, and when the last one ends. */
  readonly getToken?: GetToken | null;
  /** Tabs of one browser share one socket; false: this inbox has its own. */
  readonly share?: boolean;
  /** Seconds between two looks while there is no socket (and ten times that while there is one). */
  readonly pollSeconds?: number;
  /** How the socket is opened: socket.io-client's `io`, unless another is given. */
  readonly io?: OpenSocket;
  readonly browser?: Browser;
}

/**
 * `syncing`: loading or catching up. `online`: what is shown is the present, and what comes is heard at once.
 * `polling`: the present of a few seconds ago; there is no socket. `offline`: what was there when the network went, or
 * when `pause()` was called. `refused`: something is wrong that passes only by what somebody does; see `problem`.
 */
export type Status = "syncing" | "online" | "polling" | "offline" | "refused";

/** What is known at one moment; a new object whenever something changes, and the same one until then. */
export interface State {
  readonly status: Status;
  /** What is wrong: with the API, or with what waits to be told to it. */
  readonly problem: BelfryError | null;
  /** Why there is no socket although there is an address for one. */
  readonly pushProblem: BelfryError | null;
  /** What view `all` holds, newest first. */
  readonly items: readonly Item[];
  /** Of the whole inbox, whatever is held of it. */
  readonly unread: number;
  readonly unseen: number;
  /** How much of what the user did waits until the server can be told; it is shown as done. */
  readonly waiting: number;
  /** Null until the inbox was loaded once. */
  readonly version: number | null;
  readonly epoch: string | null;
  /** When the token ends, once that is near and nothing renews it. */
  readonly expiresAt: string | null;
  /** Whether this tab holds the socket for all tabs of this browser. */
  readonly leads: boolean;
}

export interface List {
  readonly items: readonly Item[];
  /** Whether there are older ones: see `loadMore`. */
  readonly hasMore: boolean;
  readonly loading: boolean;
  /** Whether it was ever loaded: until then it is empty whatever the inbox holds. */
  readonly begun: boolean;
}
