import { describe, expect, it, vi } from "vitest";
import type { BelfryError, Status } from "../client/index.ts";
import { tokenOf } from "./support/server.ts";
import { eventually, open, openOnline, server, titles } from "./support/pages.ts";

describe("a token", () => {
  it("that ends is renewed, and what was asked for succeeds", async () => {
    const tokens = [tokenOf("bob"), `${tokenOf("bob")}2`];
    server.validTokens = tokens.slice(0, 1);
    const getToken = vi.fn(() => tokens[Math.min(getToken.mock.calls.length, 2) - 1] ?? "");
    const inbox = await openOnline({ getToken });
    server.validTokens = tokens.slice(1);
    const { seq } = server.add("one");
    await inbox.markRead(seq);
    expect(getToken).toHaveBeenCalledTimes(2);
    expect(inbox.state.problem).toBeNull();
  });

  it("that ends soon is replaced on the socket before it does", async () => {
    const inbox = await openOnline({ getToken: () => tokenOf("bob") });
    server.say("token_expiring", { expires_at: "2030-01-31T10:00:00Z" });
    const [socket] = server.sockets;
    await eventually(() => expect(socket?.emitted.map(({ event }) => event)).toEqual(["authenticate"]));
    expect(inbox.state.expiresAt).toBeNull();
  });

  it("that is refused is said, not tried for ever, and replaced by a good one", async () => {
    server.validTokens = [];
    const inbox = open();
    await eventually(() =>
      expect(inbox.state).toMatchObject({ status: "refused", problem: { code: "token_refused" } }),
    );
    const asked = server.requests.length;
    server.validTokens = [tokenOf("bob")];
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.requests).toHaveLength(asked);
    inbox.setToken(tokenOf("bob"));
    await eventually(() => expect(inbox.state.status).toBe("online"));
    expect(() => inbox.setToken(tokenOf("carol"))).toThrow("somebody else's");
  });
});

describe("what cannot work", () => {
  it.each([
    [{ token: "" }, "no_token"],
    [{ token: "open sesame" }, "bad_token"],
    [{ api: "ftp://api.example" }, "bad_address"],
  ])("%o is said at once", (options, code) => {
    expect(() => open(options)).toThrow(expect.objectContaining({ code }));
  });

  it("an unusable address of the push server is said, and the inbox polls", async () => {
    const inbox = open({ push: "ftp://push.example" });
    await eventually(() =>
      expect(inbox.state).toMatchObject({ status: "polling", pushProblem: { code: "bad_address" } }),
    );
  });

  it.each<[number, string, Status]>([
    [401, "token_refused", "refused"],
    [403, "no_scope", "refused"],
    [503, "unavailable", "offline"],
  ])("an answer of %i is said as %s", async (status, code, shown) => {
    server.refuses = { path: /GET/, status };
    const inbox = open({ push: null });
    await eventually(() => expect(inbox.state).toMatchObject({ status: shown, problem: { code } }));
    expect((inbox.state.problem as BelfryError).advice).not.toBe("");
  });

  it("a server of another version is said, and one that is no Belfry is", async () => {
    vi.stubGlobal("fetch", async () => new Response(JSON.stringify({ items: [] })));
    const older = open({ push: null });
    await eventually(() => expect(older.state.problem?.code).toBe("incompatible"));
    vi.stubGlobal("fetch", async () => new Response("<!doctype html>"));
    const other = open({ push: null });
    await eventually(() => expect(other.state.problem?.code).toBe("not_belfry"));
  });

  it.each([
    ["/v1/inbox", { items: [null], next_cursor: null }],
    ["/v1/inbox", { items: [{ title: "without a number" }], next_cursor: null }],
    ["/v1/inbox/changes", { changes: [null], more: false }],
    ["/v1/inbox/changes", { changes: [{ version: 1, change: "added", item: null }], more: false }],
  ])("an answer of %s is not understood that has %o, and the next good one is", async (path, malformed) => {
    const inbox = open({ push: null });
    await eventually(() => expect(inbox.state.status).toBe("polling"));
    server.add("one");
    vi.stubGlobal("fetch", async (address: string, init?: RequestInit) =>
      new URL(address).pathname === path
        ? new Response(JSON.stringify({ ...server.counts, ...malformed }))
        : server.fetch(address, init),
    );
    const asking = path === "/v1/inbox" ? open({ push: null }) : inbox;
    asking.refresh();
    const message = "The server's answer is not understood.";
    await eventually(() => expect(asking.state.problem).toMatchObject({ code: "incompatible", message }));
    vi.stubGlobal("fetch", server.fetch);
    asking.refresh();
    await eventually(() => expect(titles(asking)).toEqual(["one"]));
  });

  it.each([null, "a text", { change: "added", item: null, version: 1, epoch: "epoch-1", unread: 1, unseen: 1 }])(
    "what the socket says is not understood (%o): the changes are fetched",
    async (told) => {
      const inbox = await openOnline();
      server.add("one", { lost: true });
      server.say("notification", told);
      await eventually(() => expect(titles(inbox)).toEqual(["one"]));
    },
  );
});
