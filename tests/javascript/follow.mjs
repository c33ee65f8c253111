/**
 * node follow.mjs API_URL PUSH_URL TOKEN: keeps an inbox by the rule of web/demo/inbox.js over a socket that loses,
 * repeats and delays what comes. Says what it holds when a message of LAST_WORDS has come: those are never lost, and
 * everything that ever came is said once more after them.
 */

import { makeApi } from "../../web/demo/api.js";
import { Inbox } from "../../web/demo/inbox.js";
import { connect, say } from "./client.mjs";

const [apiUrl, pushUrl, token] = process.argv.slice(2);
const api = makeApi(`${apiUrl}/v1`, token);
const inbox = new Inbox({ ...api, changes: (since) => (fetches++, api.changes(since)) }, noteVersion);
const socket = connect(pushUrl, { auth: { token } });
const FATES = [once, once, twice, never, once, late];
const LAST_WORDS = ["the end", "after the end"];
const past = [];
const delayed = [];
let fetches = 0;
let highest = 0;
let wentBack = false;
let received = 0;

socket.on("connect", async () => {
  await inbox.catchUp();
  say("following");
});
socket.on("notification", take);
socket.on("inbox", take);

async function take(change) {
  const text = change.item?.body;
  const matters = LAST_WORDS.includes(text);
  const fate = matters ? once : FATES[received++ % FATES.length];
  past.push(change);
  await Promise.all(fate(change).map((one) => inbox.receive(one)));
  if (!matters) return;
  for (const one of past) await inbox.receive(one);
  say(text, { fetches, wentBack, inbox: state() });
}

function noteVersion() {
  wentBack ||= inbox.version < highest;
  highest = inbox.version;
}

function once(change) {
  return [change, ...delayed.splice(0)];
}

function twice(change) {
  return [change, change];
}

function never() {
  return [];
}

function late(change) {
  delayed.push(change);
  return [];
}

function state() {
  const { version, epoch, unread, unseen } = inbox;
  const items = [...inbox.items.values()].sort((one, other) => other.seq - one.seq);
  return { version, epoch, unread, unseen, items };
}
