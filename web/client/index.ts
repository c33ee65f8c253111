/**
 * Belfry for the browser.
 *
 *     const inbox = connect({ api: "https://belfry.example.com", push: "https://push.example.com", token });
 *     inbox.subscribe(({ items, unread, status }) => { … });
 *     await inbox.markRead(items[0].seq);
 */

import { Inbox } from "./inbox.ts";
import type { Options } from "./options.ts";

export { BelfryError, type ProblemCode } from "./errors.ts";
export { Inbox } from "./inbox.ts";
export type { Options } from "./options.ts";
export type { List, State, Status } from "./state/state.ts";
export type { Mark, Patch } from "./transport/api.ts";
export { claimsOf, type GetToken } from "./transport/tokens.ts";
export type * from "./types.ts";
export { VIEWS } from "./types.ts";

/** An inbox that keeps itself up to date until its `close()`. */
export function connect(options: Options): Inbox {
  return new Inbox(options);
}
