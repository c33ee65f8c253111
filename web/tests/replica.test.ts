import { describe, expect, it } from "vitest";
import { Replica } from "../client/state/replica.ts";
import type { Announcement, Changes, Page, View } from "../client/types.ts";
import { randomChange, seededRandom } from "./support/random.ts";
import { Server } from "./support/server.ts";

async function ask<Shape>(server: Server, path: string): Promise<Shape> {
  return (await (await server.fetch(`http://api.example${path}`)).json()) as Shape;
}

async function load(server: Server, limit = 10): Promise<Replica> {
  const replica = new Replica();
  replica.load(await ask<Page>(server, `/v1/inbox?limit=${limit}`));
  return replica;
}

async function catchUp(server: Server, replica: Replica): Promise<void> {
  const answer = await ask<Changes>(server, `/v1/inbox/changes?since=${replica.version}`);
  expect(replica.applyChanges(answer)).not.toBeNull();
  if (answer.more) await catchUp(server, replica);
}

async function more(server: Server, replica: Replica, view: View, limit: number): Promise<void> {
  const request = replica.nextPage(view);
  const state = view === "all" ? "" : `&state=${view}`;
  const cursor = request.cursor === null ? "" : `&cursor=${request.cursor}`;
  const page = await ask<Page>(server, `/v1/inbox?limit=${limit}${state}${cursor}`);
  expect(replica.addPage(request, page)).toBe(true);
}

describe("a change", () => {
  it("is applied when it is the next, ignored when it is known, and a gap when one lies between", async () => {
    const server = new Server();
    server.add("one");
    const replica = await load(server);
    server.add("two");
    server.add("three");
    expect(replica.announce(server.announcement(3))).toBe("gap");
    expect(replica.announce(server.announcement(2))).toBe("applied");
    expect(replica.announce(server.announcement(2))).toBe("duplicate");
    expect(replica.announce(server.announcement(3))).toBe("applied");
    expect(replica.list("all").map((item) => item.title)).toEqual(["three", "two", "one"]);
  });

  it("of another history, or of a kind that is not known here, has the inbox loaded anew", async () => {
    const server = new Server();
    const replica = await load(server);
    server.add("one");
    expect(replica.announce({ ...server.announcement(1), epoch: "another" })).toBe("reload");
    expect(replica.announce({ ...server.announcement(1), change: "pinned" } as unknown as Announcement)).toBe("reload");
    const answer = await ask<Changes>(server, "/v1/inbox/changes?since=0");
    expect(replica.applyChanges({ ...answer, epoch: "another" })).toBeNull();
  });

  it("of one item leaves the others, and what is so already keeps its time", async () => {
    const server = new Server();
    for (const title of ["one", "two", "three"]) server.add(title);
    const replica = await load(server);
    server.move("read", [2]);
    replica.announce(server.announcement(4));
    const read = replica.get(2)?.read_at;
    server.move("archived", null, 3);
    replica.announce({ ...server.announcement(5), at: "2031-01-01T00:00:00Z" } as Announcement);
    expect(replica.get(2)?.read_at).toBe(read);
    expect(replica.get(1)?.read_at).toBe("2031-01-01T00:00:00Z");
    expect(replica.unread).toBe(0);
  });
});

describe("whatever the socket loses, doubles and delays", () => {
  it.each(Array.from({ length: 20 }, (_, seed) => seed + 1))(
    "the inbox is the server's in the end (%i)",
    async (seed) => {
      const random = seededRandom(seed);
      const server = new Server();
      const replica = await load(server, 5);
      const late: Announcement[] = [];
      for (let step = 0; step < 120; step += 1) {
        randomChange(server, random);
        if (server.version === 0) continue;
        const told = server.announcement(server.version);
        const fate = random();
        if (fate < 0.2) late.push(told);
        const now = fate < 0.4 ? [] : fate < 0.6 ? [told, told] : [told, ...late.splice(0)];
        for (const one of now) if (replica.announce(one) === "gap") await catchUp(server, replica);
        if (random() < 0.1) await more(server, replica, random() < 0.5 ? "all" : "unread", 5);
      }
      await catchUp(server, replica);
      for (const view of ["all", "unread"] as const)
        while (replica.hasMore(view)) await more(server, replica, view, 50);
      await more(server, replica, "archived", 500);
      const whole = [...server.items.values()].sort((one, other) => other.seq - one.seq);
      const shown = (item: { version: number }) => ({ ...item, version: 0 });
      expect(replica.missing.size).toBe(0);
      expect(replica.list("all").map(shown)).toEqual(whole.filter((item) => !item.archived_at).map(shown));
      expect(replica.list("unread").map(shown)).toEqual(whole.filter((item) => !item.read_at).map(shown));
      expect(replica.list("archived").map(shown)).toEqual(whole.filter((item) => item.archived_at).map(shown));
      expect([replica.unread, replica.unseen]).toEqual([server.counts.unread, server.counts.unseen]);
    },
  );
});

describe("a page", () => {
  it("that was read before a change and comes after it is brought up to date", async () => {
    const server = new Server();
    for (let number = 1; number <= 20; number += 1) server.add(`number ${number}`);
    const replica = await load(server, 5);
    const request = replica.nextPage("all");
    const page = await ask<Page>(server, `/v1/inbox?limit=20&cursor=${request.cursor}`);
    server.move("read", [10]);
    replica.announce(server.announcement(21));
    server.move("deleted", [11]);
    replica.announce(server.announcement(22));
    expect(replica.addPage(request, page)).toBe(true);
    expect(replica.get(10)?.read_at).toBeTruthy();
    expect(replica.get(11)).toBeUndefined();
  });

  it("is asked for again when the inbox was loaded anew meanwhile", async () => {
    const server = new Server();
    for (let number = 1; number <= 20; number += 1) server.add(`number ${number}`);
    const replica = await load(server, 5);
    const request = replica.nextPage("all");
    const page = await ask<Page>(server, `/v1/inbox?limit=20&cursor=${request.cursor}`);
    replica.load(await ask<Page>(server, "/v1/inbox?limit=5"));
    expect(replica.addPage(request, page)).toBe(false);
  });

  it("of one view does not hide what the other lacks: an item that comes back is named as missing", async () => {
    const server = new Server();
    for (let number = 1; number <= 5; number += 1) server.add(`number ${number}`);
    server.move("archived", [3]);
    const replica = await load(server);
    server.move("unarchived", [3]);
    replica.announce(server.announcement(server.version));
    expect([...replica.missing]).toEqual([3]);
    replica.addItem(server.items.get(3) as never, server.version);
    expect(replica.list("all")).toHaveLength(5);
  });
});
