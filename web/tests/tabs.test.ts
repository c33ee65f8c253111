import { describe, expect, it } from "vitest";
import type { Browser } from "../client/browser.ts";
import type { Inbox } from "../client/index.ts";
import { BrowserLocks, eventually, openOnline, server, titles } from "./support/pages.ts";

async function openTabs(count: number, differs: Partial<Browser> = {}): Promise<Inbox[]> {
  const browser = { locks: new BrowserLocks(), Channel: globalThis.BroadcastChannel, ...differs };
  const api = `http://${Math.random().toString(36).slice(2)}.example`; // so that tests do not share a channel
  const tabs: Inbox[] = [];
  for (let tab = 0; tab < count; tab += 1) tabs.push(await openOnline({ share: true, browser, api }));
  return tabs;
}

function connected(): number {
  return [...server.sockets].filter((socket) => socket.connected).length;
}

it("one tab holds the socket, and all show what arrives", async () => {
  const tabs = await openTabs(3);
  expect(connected()).toBe(1);
  expect(tabs.map((tab) => tab.state.leads)).toEqual([true, false, false]);
  server.requests = [];
  server.add("for all");
  for (const tab of tabs) await eventually(() => expect(titles(tab)).toEqual(["for all"]));
  expect(server.requests).toEqual([]);
});

it("what one tab does, the others show", async () => {
  const [leader, other] = (await openTabs(2)) as [Inbox, Inbox];
  const { seq } = server.add("one");
  await eventually(() => expect(other.state.unread).toBe(1));
  await other.markRead(seq);
  await eventually(() => expect(leader.state.unread).toBe(0));
});

it("what the leader fetched, the others need not fetch", async () => {
  const [leader, other] = (await openTabs(2)) as [Inbox, Inbox];
  server.requests = [];
  server.add("lost", { lost: true });
  server.say("sync");
  for (const tab of [leader, other]) await eventually(() => expect(titles(tab)).toEqual(["lost"]));
  expect(server.requests.filter((call) => call.endsWith("/changes"))).toHaveLength(1);
});

it.each(["close", "pause"] as const)(
  "when the leader's tab goes by %s, another leads and lacks nothing",
  async (goes) => {
    const [leader, next, last] = (await openTabs(3)) as [Inbox, Inbox, Inbox];
    server.add("before");
    leader[goes]();
    server.add("between");
    await eventually(() => expect(next.state).toMatchObject({ leads: true, status: "online" }));
    await eventually(() => expect(connected()).toBe(1));
    server.add("after");
    for (const tab of [next, last]) {
      await eventually(() => expect(titles(tab)).toEqual(["after", "between", "before"]));
      expect(tab.state.status).toBe("online");
    }
  },
);

it("a tab that returns waits in line behind the one that leads meanwhile", async () => {
  const [first, second] = (await openTabs(2)) as [Inbox, Inbox];
  first.pause();
  await eventually(() => expect(second.state.leads).toBe(true));
  server.add("meanwhile");
  first.resume();
  await eventually(() => expect(first.state).toMatchObject({ leads: false, status: "online" }));
  expect(titles(first)).toEqual(["meanwhile"]);
  expect(connected()).toBe(1);
});

/** A channel that neither sends nor receives while it is the `suspended` one. */
class Suspendable extends BroadcastChannel {
  static suspended: BroadcastChannel | null = null;
  static opened: BroadcastChannel[] = [];

  constructor(name: string) {
    super(name);
    Suspendable.opened.push(this);
  }

  override postMessage(message: unknown): void {
    if (Suspendable.suspended !== this) super.postMessage(message);
  }

  override set onmessage(handler: (event: MessageEvent) => void) {
    super.onmessage = (event) => Suspendable.suspended === this || handler(event as MessageEvent);
  }
}

it("a leader that answers no more loses the lead, once, and follows when it is back", async () => {
  Suspendable.opened = [];
  const [first, second, third] = (await openTabs(3, { Channel: Suspendable })) as [Inbox, Inbox, Inbox];
  Suspendable.suspended = Suspendable.opened[0] ?? null;
  await eventually(() => expect(second.state.leads || third.state.leads).toBe(true));
  Suspendable.suspended = null;
  await eventually(() => expect(first.state).toMatchObject({ leads: false, status: "online" }));
  expect([first, second, third].filter((tab) => tab.state.leads)).toHaveLength(1);
  await eventually(() => expect(connected()).toBe(1));
  server.add("one");
  for (const tab of [first, second, third]) await eventually(() => expect(titles(tab)).toEqual(["one"]));
});

describe("a browser that refuses", () => {
  const refuse = (): never => {
    throw new DOMException("The request was denied.", "SecurityError");
  };
  it.each<[string, Partial<Browser>]>([
    ["its locks by a rejection", { locks: { request: async () => refuse() } }],
    ["its locks by an exception", { locks: { request: refuse } }],
    ["its channels", { Channel: refuse as unknown as typeof BroadcastChannel }],
    ["both", { locks: undefined, Channel: undefined }],
  ])("%s has every tab lead alone", async (_what, differs) => {
    const tabs = await openTabs(2, differs);
    expect(tabs.map((tab) => tab.state.leads)).toEqual([true, true]);
    server.add("one");
    for (const tab of tabs) await eventually(() => expect(titles(tab)).toEqual(["one"]));
  });

  it("to answer for its locks has one tab lead all the same", async () => {
    const tabs = await openTabs(2, { locks: { request: () => new Promise(() => {}) } });
    expect(tabs.map((tab) => tab.state.leads)).toEqual([true, false]);
    server.add("one");
    for (const tab of tabs) await eventually(() => expect(titles(tab)).toEqual(["one"]));
  });
});
