/** node inbox.mjs API_URL PUSH_URL TOKEN: opens an inbox by the client library; prints its status and its titles. */

import { connect } from "../../../web/dist/belfry-client.js";
import { io, say } from "./client.mjs";

const [api, push, token] = process.argv.slice(2);
const inbox = connect({ api, push, token, io, share: false, pollSeconds: 600 });
inbox.subscribe(({ status, items }) => say(status, items.map(({ title }) => title)));
