import { describe, expect, it, vi } from "vitest";
import { eventually, open, openOnline, server, titles } from "./support/pages.ts";

describe("an inbox", () => {
  it("shows what was there, then what arrives, and says what arrived", async () => {
    server.add("before");
    const inbox = await openOnline();
    const arrived: string[] = [];
    inbox.onArrival((items) => arrived.push(...items.map((item) => item.title)));
    server.add("after");
    expect(titles(inbox)).toEqual(["after", "before"]);
    expect(arrived).toEqual(["after"]);
    expect(inbox.state.unread).toBe(2);
  });

  it("keeps its state until something changes", async () => {
    const inbox = await openOnline();
    expect(inbox.state).toBe(inbox.state);
    const before = inbox.state;
    server.add("new");
    expect(inbox.state).not.toBe(before);
  });

  it("fetches what the socket lost, in order", async () => {
    const inbox = await openOnline();
    server.add("one", { lost: true });
    server.add("two", { lost: true });
    server.add("three");
    await eventually(() => expect(titles(inbox)).toEqual(["three", "two", "one"]));
  });

  it("asks for what it may lack when it is told to sync", async () => {
    const inbox = await openOnline();
    server.add("lost", { lost: true });
    server.say("sync", { reason: "broker" });
    await eventually(() => expect(titles(inbox)).toEqual(["lost"]));
  });

  it("loads anew when the changes since its version are not kept", async () => {
    const inbox = await openOnline();
    for (const title of ["one", "two"]) server.add(title, { lost: true });
    server.keptSince = 2;
    server.say("sync");
    await eventually(() => expect(titles(inbox)).toEqual(["two", "one"]));
  });

  it("loads its other lists page by page, and anew when what was archived is not held", async () => {
    for (let number = 1; number <= 120; number += 1) server.add(`number ${number}`);
    const inbox = await openOnline();
    expect(inbox.list("all").items).toHaveLength(50);
    await inbox.loadMore("all");
    expect(inbox.list("all").items).toHaveLength(100);
    await inbox.loadMore("archived");
    expect(inbox.list("archived")).toMatchObject({ items: [], hasMore: false, begun: true });
    await inbox.archiveAll();
    await eventually(() => expect(inbox.list("archived").items).toHaveLength(50));
    expect(inbox.list("archived").hasMore).toBe(true);
  });

  it("polls while there is no push server", async () => {
    const inbox = open({ push: null, pollSeconds: 0.02 });
    await eventually(() => expect(inbox.state.status).toBe("polling"));
    server.add("polled");
    await eventually(() => expect(titles(inbox)).toEqual(["polled"]));
  });

  it("tells all its listeners although one of them throws, and reports that one", async () => {
    const reported = vi.fn();
    vi.stubGlobal("reportError", reported);
    const inbox = await openOnline();
    const broken = vi.fn(() => {
      if (broken.mock.calls.length > 1) throw new Error("of the page's own");
    });
    const heard: string[] = [];
    inbox.subscribe(broken);
    inbox.subscribe(({ items }) => heard.push(`state ${items.length}`));
    inbox.onArrival(() => {
      throw new Error("of the page's own");
    });
    inbox.onArrival((items) => heard.push(...items.map((item) => item.title)));
    server.add("one");
    await eventually(() => expect(heard).toEqual(["state 0", "one", "state 1"]));
    expect(reported).toHaveBeenCalledTimes(2);
    expect(inbox.state).toMatchObject({ status: "online", problem: null });
  });

  it("goes offline and comes back, caught up", async () => {
    const inbox = await openOnline();
    inbox.pause();
    expect(inbox.state.status).toBe("offline");
    server.add("meanwhile");
    expect(titles(inbox)).toEqual([]);
    inbox.resume();
    await eventually(() => expect(inbox.state.status).toBe("online"));
    expect(titles(inbox)).toEqual(["meanwhile"]);
  });
});

describe("what the user does", () => {
  it("is shown at once and stays when the server has done it", async () => {
    const { seq } = server.add("one");
    const inbox = await openOnline();
    const done = inbox.markRead(seq);
    expect(inbox.state.unread).toBe(0);
    expect(inbox.state.items[0]?.read_at).toBeTruthy();
    expect(server.counts.unread).toBe(1);
    await done;
    await eventually(() => expect(server.counts.unread).toBe(0));
    expect(inbox.state.unread).toBe(0);
  });

  it.each(["markRead", "archive", "delete"] as const)("%s is taken back when the server refuses it", async (act) => {
    const { seq } = server.add("one");
    const inbox = await openOnline();
    server.refuses = { path: /^(POST|PATCH|DELETE)/, status: 422 };
    const done = inbox[act](seq);
    expect(inbox.state.unread).toBe(0);
    await expect(done).rejects.toMatchObject({ code: "refused" });
    expect(inbox.state.unread).toBe(1);
    expect(titles(inbox)).toEqual(["one"]);
    expect(inbox.state.items[0]?.read_at).toBeNull();
  });

  it("several times with one item is shown whole before any of it is done", async () => {
    const { seq } = server.add("one");
    const inbox = await openOnline();
    const done = [inbox.markAllSeen(), inbox.markRead(seq), inbox.archive(seq)];
    expect(titles(inbox)).toEqual([]);
    expect(inbox.state).toMatchObject({ unread: 0, unseen: 0 });
    await Promise.all(done);
  });

  it("marks all that was there, and not what arrives meanwhile", async () => {
    for (let number = 1; number <= 120; number += 1) server.add(`number ${number}`);
    const inbox = await openOnline();
    const done = inbox.markAllRead();
    expect(inbox.state.unread).toBe(0);
    server.add("meanwhile");
    expect(inbox.state.unread).toBe(1);
    await done;
    await eventually(() => expect(server.counts.unread).toBe(1));
    expect(inbox.state.unread).toBe(1);
  });

  it("is known to it even when the socket does not say so", async () => {
    const { seq } = server.add("one");
    const inbox = open({ push: null, pollSeconds: 3600 });
    await eventually(() => expect(inbox.state.status).toBe("polling"));
    await inbox.delete(seq);
    await eventually(() => expect(inbox.state.version).toBe(server.version));
    expect(titles(inbox)).toEqual([]);
    await expect(inbox.markUnread(seq)).rejects.toMatchObject({ status: 404 });
  });
});
