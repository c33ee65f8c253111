/** What the scripts share: the official client, out of web/node_modules, and one line of JSON for all that happens. */

import { createRequire } from "node:module";

export const { io } = createRequire(new URL("../../../web/package.json", import.meta.url))("socket.io-client");

/** Options as socket.io-client has them; it is connected to once. */
export function connect(url, options) {
  return io(url, { transports: ["websocket"], reconnection: false, ...options });
}

export function say(event, payload = null) {
  console.log(JSON.stringify({ event, payload }));
}
