/**
 * node follow.mjs API_URL PUSH_URL TOKEN: opens an inbox by the client library over a socket that loses, repeats and
 * delays changes. After each message of LAST_WORDS, which are never lost, it repeats all changes that ever came, and
 * prints the inbox.
 */

import { connect } from "../../../web/dist/belfry-client.js";
import { io, say } from "./client.mjs";

const [api, push, token] = process.argv.slice(2);
const FATES = [once, once, twice, never, once, late];
const LAST_WORDS = ["the end", "after the end"];
const ROUNDS = 20;
const past = [];
const delayed = [];
let fetches = 0;
let highest = 0;
let wentBack = false;
let received = 0;

const fetchReally = globalThis.fetch;
let underWay = 0;
globalThis.fetch = async (address, options) => {
  fetches += String(address).includes("/v1/inbox/changes") ? 1 : 0;
  underWay += 1;
  try {
    return await fetchReally(address, options);
  } finally {
    underWay -= 1;
  }
};
const inbox = connect({ api, push, token, share: false, io: openUnreliably });
let told = false;
inbox.subscribe(({ version, status }) => {
  wentBack ||= version !== null && version < highest;
  highest = version ?? highest;
  if (status === "online" && !told) told = say("following") ?? true;
});

/** The official client's socket; each change has its fate before the library gets it. */
function openUnreliably(url, options) {
  const socket = io(url, options);
  return {
    get active() {
      return socket.active;
    },
    on: (event, handler) => {
      const changes = event === "notification" || event === "inbox";
      socket.on(event, changes ? (change) => void take(change, handler) : handler);
    },
    emit: (...all) => socket.emit(...all),
    connect: () => socket.connect(),
    disconnect: () => socket.disconnect(),
  };
}

async function take(change, hear) {
  const text = change.item?.body;
  const matters = LAST_WORDS.includes(text);
  const fate = matters ? once : FATES[received++ % FATES.length];
  past.push(change);
  for (const one of fate(change)) hear(one);
  if (!matters) return;
  for (const one of past) hear(one);
  const isThere = () => inbox.state.version >= change.version && inbox.state.items.at(0)?.body === text;
  await quiet(isThere);
  say(text, { fetches, wentBack, inbox: held() });
}

/** Wait until `isSo`, and until no request follows any more: a change during a request causes another one. */
async function quiet(isSo) {
  for (let rounds = 0, before = fetches; rounds < ROUNDS; rounds += 1, before = fetches) {
    await soon();
    if (!isSo() || underWay > 0 || fetches > before) rounds = 0;
  }
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

function held() {
  const { version, epoch, unread, unseen, items } = inbox.state;
  return { version, epoch, unread, unseen, items };
}

function soon() {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
