/** node listen.mjs URL OPTIONS: prints what the server emits, until it is killed or refused. OPTIONS is JSON. */

import { connect, say } from "./client.mjs";

const [url, options] = process.argv.slice(2);
const socket = connect(url, JSON.parse(options));
socket.on("connect", () => say("connect"));
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.onAny(say);
socket.on("connect_error", ({ message, data }) => {
  say("connect_error", { message, data });
  process.exit(1);
});
