/** node authenticate.mjs URL TOKEN OTHER: connects with TOKEN, replaces it by OTHER, and prints the acknowledgement. */

import { connect, say } from "./client.mjs";

const [url, token, other] = process.argv.slice(2);
const socket = connect(url, { auth: { token } });
socket.on("connect", async () => {
  say("acknowledged", await socket.timeout(5_000).emitWithAck("authenticate", { token: other }));
  socket.close();
});
