/** The options of `connect()`. */

import type { Browser } from "./browser.ts";
import type { OpenSocket } from "./transport/socket.ts";
import type { GetToken } from "./transport/tokens.ts";

export interface Options {
  /** The API's address, such as `https://belfry.example.com`; "" if the page's own server serves the API. */
  readonly api: string;
  /** The push server's address. Without one the inbox polls. */
  readonly push?: string | null;
  readonly token?: string | null;
  /** Called whenever a token is needed: at the start, and when the last token has expired. */
  readonly getToken?: GetToken | null;
  /** Tabs of one browser share one socket. False: this inbox opens its own. */
  readonly share?: boolean;
  /** Seconds between two polls without a socket; ten times as long with one. */
  readonly pollSeconds?: number;
  /** Opens the socket; socket.io-client's `io` by default. */
  readonly io?: OpenSocket;
  readonly browser?: Browser;
}
