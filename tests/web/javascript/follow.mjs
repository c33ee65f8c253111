/**
 * node follow.mjs API_URL PUSH_URL TOKEN: keeps an inbox by the client library over a socket that loses, repeats and
 * delays what comes. Says what it holds when a message of LAST_WORDS has come: those are never lost, and everything that
 * ever came is said once more after them.
 */

import { connect } from "../../../web/dist/belfry-client.js";
import { io, say } from "./client.mjs";

const [api, push, token] = process.argv.slice(2);
const FATES = [once, once, twice, never, once, late];
const LAST_WORDS = ["the end", "after the end"];
const TURNS = 20;
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

/** The official client's socket, whose changes meet their fates before the library hears of them. */
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

/** Until it is so, and nothing is asked any more: what was asked twice is fetched once more after the answer. */
async function quiet(isSo) {
  for (let turns = 0, before = fetches; turns < TURNS; turns += 1, before = fetches) {
    await soon();
    if (!isSo() || underWay > 0 || fetches > before) turns = 0;
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
