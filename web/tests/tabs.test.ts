import { expect, it } from "vitest";
import type { Inbox } from "../client/index.ts";
import { BrowserLocks, eventually, openOnline, server, titles } from "./support.ts";

async function openTabs(count: number): Promise<Inbox[]> {
  const browser = { locks: new BrowserLocks(), Channel: globalThis.BroadcastChannel };
  const api = `http://${Math.random().toString(36).slice(2)}.example`; // a browser of its own for each test
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
  server.asked = [];
  server.add("for all");
  for (const tab of tabs) await eventually(() => expect(titles(tab)).toEqual(["for all"]));
  expect(server.asked).toEqual([]);
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
  server.asked = [];
  server.add("lost", { lost: true });
  server.say("sync");
  for (const tab of [leader, other]) await eventually(() => expect(titles(tab)).toEqual(["lost"]));
  expect(server.asked.filter((call) => call.endsWith("/changes"))).toHaveLength(1);
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
