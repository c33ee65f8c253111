/** The official client from web/node_modules, and a function that prints an event as one line of JSON. */

import { createRequire } from "node:module";

export const { io } = createRequire(new URL("../../../web/package.json", import.meta.url))("socket.io-client");

/** Connect without reconnection. The options are socket.io-client's. */
export function connect(url, options) {
  return io(url, { transports: ["websocket"], reconnection: false, ...options });
}

export function say(event, payload = null) {
  console.log(JSON.stringify({ event, payload }));
}
