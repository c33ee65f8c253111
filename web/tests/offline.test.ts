import { describe, expect, it } from "vitest";
import type { Inbox } from "../client/index.ts";
import { randomChange, seededRandom } from "./support/random.ts";
import { tokenOf } from "./support/server.ts";
import { eventually, open, openOnline, server, titles } from "./support/pages.ts";

async function openAway(): Promise<Inbox> {
  const inbox = await openOnline();
  inbox.pause();
  server.requests = [];
  return inbox;
}

async function comeBack(inbox: Inbox): Promise<void> {
  inbox.resume();
  await eventually(() => expect(inbox.state).toMatchObject({ status: "online", waiting: 0 }));
}

function marks(): string[] {
  return server.requests.filter((call) => !call.startsWith("GET"));
}

describe("what is done offline", () => {
  it("is shown at once, and told in its order after the return", async () => {
    for (const title of ["one", "two", "three"]) server.add(title);
    const inbox = await openAway();
    const done = [inbox.markRead(1), inbox.delete(2), inbox.archive(3)];
    expect(titles(inbox)).toEqual(["one"]);
    expect(inbox.state).toMatchObject({ unread: 0, waiting: 3, problem: null });
    expect(marks()).toEqual([]);
    await comeBack(inbox);
    await Promise.all(done);
    expect(marks()).toEqual(["POST /v1/inbox/read", "DELETE /v1/inbox/2", "POST /v1/inbox/archive"]);
    expect(server.counts.unread).toBe(0);
    expect(titles(inbox)).toEqual(["one"]);
  });

  it("is counted where somebody did it, not where they merely saw", async () => {
    const { seq } = server.add("one");
    const inbox = await openAway();
    const done = [inbox.markAllSeen(), inbox.markRead(seq)];
    expect(inbox.state).toMatchObject({ waiting: 1, unseen: 0 });
    await comeBack(inbox);
    await Promise.all(done);
    expect(server.counts.unseen).toBe(0);
  });

  it("is told by itself when a network that was gone is back", async () => {
    const { seq } = server.add("one");
    const inbox = await openOnline();
    server.unreachable = true;
    const done = inbox.markRead(seq);
    await eventually(() => expect(inbox.state).toMatchObject({ unread: 0, waiting: 1 }));
    await eventually(() => expect(inbox.state).toMatchObject({ status: "offline", problem: { code: "unreachable" } }));
    server.unreachable = false;
    await done;
    expect(server.counts.unread).toBe(0);
    await eventually(() =>
      expect(inbox.state).toMatchObject({ status: "online", unread: 0, waiting: 0, problem: null }),
    );
  });

  it("is tried again by a server that cannot serve at the moment, while the rest goes on", async () => {
    const { seq } = server.add("one");
    const inbox = await openOnline();
    server.refuses = { path: /^POST/, status: 503 };
    const done = inbox.markRead(seq);
    await eventually(() => expect(inbox.state).toMatchObject({ waiting: 1, problem: { code: "unavailable" } }));
    expect(inbox.state).toMatchObject({ status: "online", unread: 0 });
    server.add("two");
    expect(titles(inbox)).toEqual(["two", "one"]);
    await done;
    expect(inbox.state).toMatchObject({ waiting: 0, problem: null, unread: 1 });
  });

  it("leaves what arrived meanwhile when it was for all", async () => {
    for (let number = 1; number <= 60; number += 1) server.add(`number ${number}`);
    const inbox = await openAway();
    const done = inbox.markAllRead();
    for (let number = 1; number <= 60; number += 1) server.add(`later ${number}`);
    await comeBack(inbox);
    await done;
    expect(server.counts.unread).toBe(60);
    await eventually(() => expect(inbox.state.unread).toBe(60));
  });

  it("has no say over what another device deleted meanwhile", async () => {
    const { seq } = server.add("one");
    const inbox = await openAway();
    const done = [inbox.markRead(seq), inbox.delete(seq)];
    server.move("deleted", [seq]);
    await comeBack(inbox);
    await Promise.all(done);
    expect(titles(inbox)).toEqual([]);
  });

  it("is taken back, and told to nobody, when the inbox is of another history", async () => {
    const { seq } = server.add("one");
    const inbox = await openAway();
    const done = inbox.markRead(seq);
    server.epoch = "epoch-2";
    inbox.resume();
    await expect(done).rejects.toMatchObject({ code: "refused" });
    await eventually(() => expect(inbox.state).toMatchObject({ status: "online", unread: 1, waiting: 0 }));
    expect(marks()).toEqual([]);
  });

  it("waits for another token when this one has ended", async () => {
    const { seq } = server.add("one");
    const inbox = await openAway();
    const done = inbox.markRead(seq);
    server.validTokens = [`${tokenOf("bob")}2`];
    inbox.resume();
    await eventually(() => expect(inbox.state).toMatchObject({ status: "refused", waiting: 1, unread: 0 }));
    inbox.setToken(`${tokenOf("bob")}2`);
    await done;
    expect(server.counts.unread).toBe(0);
  });

  it("waits for another token, too, when it is the first that this one is refused for", async () => {
    const { seq } = server.add("one");
    const inbox = await openOnline();
    server.validTokens = [`${tokenOf("bob")}2`];
    const done = inbox.markRead(seq);
    await eventually(() => expect(inbox.state).toMatchObject({ status: "refused", waiting: 1, unread: 0 }));
    inbox.setToken(`${tokenOf("bob")}2`);
    await done;
    expect(server.counts.unread).toBe(0);
  });

  it("is said to be undone when the inbox is closed before", async () => {
    const { seq } = server.add("one");
    const inbox = await openAway();
    const done = inbox.markRead(seq);
    inbox.close();
    await expect(done).rejects.toMatchObject({ code: "unreachable" });
  });

  it("does not hold up, or wait for, another call", async () => {
    const inbox = await openOnline();
    server.unreachable = true;
    void inbox.markAllSeen();
    await expect(inbox.request("GET", "/v1/subscriptions")).rejects.toMatchObject({ code: "unreachable" });
  });
});

describe("whoever goes away and comes back at random, and marks as they please", () => {
  it.each(Array.from({ length: 20 }, (_, seed) => seed + 1))(
    "has what the server has in the end (%i)",
    async (seed) => {
      const random = seededRandom(seed);
      const inbox = open({ push: null, pollSeconds: 3600 });
      await eventually(() => expect(inbox.state.status).toBe("polling"));
      const done: Promise<void>[] = [];
      for (let step = 0; step < 60; step += 1) {
        randomChange(server, random);
        if (random() < 0.2) inbox.pause();
        if (random() < 0.2) inbox.resume();
        if (random() < 0.5) done.push(mark(inbox, random));
        if (random() < 0.3) await Promise.resolve();
      }
      inbox.resume();
      inbox.refresh();
      await Promise.all(done);
      await eventually(() => expect(inbox.state).toMatchObject({ waiting: 0, version: server.version }));
      const { unread, unseen } = server.counts;
      await eventually(() => expect(inbox.state).toMatchObject({ unread, unseen }));
      while (inbox.list("all").hasMore) await inbox.loadMore();
      const whole = [...server.items.values()]
        .filter((item) => !item.archived_at)
        .sort((one, two) => two.seq - one.seq);
      expect(inbox.state.items.map(({ seq, read_at }) => [seq, Boolean(read_at)])).toEqual(
        whole.map(({ seq, read_at }) => [seq, Boolean(read_at)]),
      );
    },
  );
});

/** A random mark. `markUnread` alone may be refused: the item may be gone. */
async function mark(inbox: Inbox, random: () => number): Promise<void> {
  const { items } = inbox.state;
  const seq = items[Math.floor(random() * items.length)]?.seq;
  const chance = random();
  if (chance < 0.2 || seq === undefined) return inbox.markAllSeen();
  if (chance < 0.3) return inbox.markAllRead();
  if (chance < 0.5) return inbox.markRead(seq);
  if (chance < 0.7) return inbox.archive(seq);
  if (chance < 0.85) return inbox.delete(seq);
  return inbox.markUnread(seq).catch((error) => expect(error).toMatchObject({ status: 404 }));
}
