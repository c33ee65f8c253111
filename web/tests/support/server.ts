/** An in-memory Belfry server with one inbox, behind `fetch` and a socket. */

import { applyChange } from "../../client/state/change.ts";
import type { ClientSocket, OpenSocket } from "../../client/transport/socket.ts";
import type { Announcement, Change, Counts, Item, StateChange, StateName } from "../../client/types.ts";

type Handler = (payload: never) => void;
type SocketOptions = { readonly auth: (give: (auth: object) => void) => void };

const AT = "2030-01-31T09:00:00.000000Z";

export function tokenOf(sub: string): string {
  return `e30.${btoa(JSON.stringify({ sub, scope: "inbox" }))}.c2lnbmF0dXJl`;
}

export class Server {
  items = new Map<number, Item>();
  changes: Change[] = [];
  epoch = "epoch-1";
  /** The requests, such as `GET /v1/inbox/summary`. */
  requests: string[] = [];
  /** The next request that matches gets an error with this status. */
  refuses: { path: RegExp; status: number } | null = null;
  unreachable = false;
  keptSince = 0;
  validTokens: string[] | null = null;
  /** Whether the server acknowledges events. */
  acknowledges = true;
  readonly sockets = new Set<MemorySocket>();

  get version(): number {
    return this.changes.length;
  }

  get counts(): Counts {
    const items = [...this.items.values()];
    const unread = items.filter((item) => !item.read_at).length;
    return { unread, unseen: items.filter((item) => !item.seen_at).length, version: this.version, epoch: this.epoch };
  }

  /** Add an item; unless `lost`, the sockets announce it. */
  add(title: string, { lost = false } = {}): Item {
    const seq = this.version + 1;
    const none = { actor: null, body: null, url: null, data: null, topic: null, expires_at: null };
    const times = { created_at: AT, seen_at: null, read_at: null, archived_at: null };
    const item: Item = { ...none, ...times, seq, version: seq, id: `id-${seq}`, kind: "note", title, severity: "none" };
    this.items.set(seq, item);
    this.#record({ version: seq, change: "added", item }, lost);
    return item;
  }

  move(change: StateName, seqs: readonly number[] | null, through: number | null = null, { lost = false } = {}): void {
    const stateChange: StateChange = { version: this.version + 1, change, seqs, through, at: AT };
    let touched = false;
    for (const item of [...this.items.values()]) {
      const then = applyChange(item, stateChange);
      touched ||= then !== item;
      if (then) this.items.set(item.seq, then);
      else this.items.delete(item.seq);
    }
    if (touched) this.#record(stateChange, lost);
  }

  announcement(version: number): Announcement {
    return { ...this.counts, ...(this.changes[version - 1] as Change), version };
  }

  say(event: string, payload?: unknown): void {
    for (const socket of this.sockets) if (socket.connected) socket.hear(event, payload);
  }

  fetch = async (address: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(String(address));
    const call = `${init.method ?? "GET"} ${url.pathname}`;
    this.requests.push(call);
    await Promise.resolve();
    if (this.unreachable) throw new TypeError("Failed to fetch");
    const token = new Headers(init.headers).get("Authorization")?.slice(7) ?? "";
    if (this.validTokens && !this.validTokens.includes(token)) return answer(401, { code: "unauthorized" });
    if (this.refuses?.path.test(call)) {
      const { status } = this.refuses;
      this.refuses = null;
      return answer(status, { code: "invalid_request", detail: "No." });
    }
    return this.#answer(call, url.searchParams, init.body ? JSON.parse(String(init.body)) : {});
  };

  io: OpenSocket = (_url, options) => new MemorySocket(this, options as SocketOptions);

  #answer(call: string, query: URLSearchParams, body: Record<string, never>): Response {
    const [method, path = ""] = call.split(" ");
    const seq = Number(path.split("/").at(-1));
    if (path === "/v1/inbox/summary") return answer(200, this.counts);
    if (path === "/v1/inbox/changes") return this.#changesSince(Number(query.get("since")));
    if (path === "/v1/inbox") return this.#page(query);
    if (method === "POST") {
      const { seqs = null, through = null } = body as { seqs?: number[]; through?: number };
      const change = { read: "read", seen: "seen", archive: "archived" }[path.split("/").at(-1) as "read"] as StateName;
      this.move(change, seqs, through);
      return answer(200, this.counts);
    }
    if (!this.items.has(seq)) return answer(404, { code: "not_found" });
    if (method === "DELETE") this.move("deleted", [seq]);
    if (method === "PATCH" && "read" in body) this.move(body.read ? "read" : "unread", [seq]);
    if (method === "PATCH" && "archived" in body) this.move(body.archived ? "archived" : "unarchived", [seq]);
    return method === "DELETE" ? answer(204, null) : answer(200, this.items.get(seq));
  }

  #changesSince(since: number): Response {
    if (since < this.keptSince) return answer(410, { code: "resync_required" });
    const changes = this.changes.slice(since, since + 100);
    const version = since + changes.length;
    return answer(200, { ...this.counts, changes, version, more: version < this.version });
  }

  #page(query: URLSearchParams): Response {
    const limit = Number(query.get("limit"));
    const before = Number(query.get("cursor") ?? Number.POSITIVE_INFINITY);
    const state = query.get("state");
    const fits = (item: Item): boolean =>
      state === "unread" ? !item.read_at : state === "archived" ? Boolean(item.archived_at) : !item.archived_at;
    const found = [...this.items.values()]
      .filter((item) => item.seq < before && fits(item))
      .sort((a, b) => b.seq - a.seq);
    const items = found.slice(0, limit);
    return answer(200, { ...this.counts, items, next_cursor: found.length > limit ? String(items.at(-1)?.seq) : null });
  }

  #record(change: Change, lost: boolean): void {
    this.changes.push(change);
    if (!lost) this.say(change.change === "added" ? "notification" : "inbox", this.announcement(this.version));
  }
}

function answer(status: number, body: unknown): Response {
  return new Response(status === 204 ? null : JSON.stringify(body), { status });
}

/** The client's end of a socket. */
export class MemorySocket implements ClientSocket {
  connected = false;
  active = true;
  readonly emitted: { event: string; payload: unknown }[] = [];
  pings = 0;
  readonly #handlers = new Map<string, Handler[]>();
  readonly #server: Server;
  readonly #auth: SocketOptions["auth"];

  constructor(server: Server, options: SocketOptions) {
    this.#server = server;
    this.#auth = options.auth;
    server.sockets.add(this);
    this.connect();
  }

  on(event: string, handler: Handler): this {
    this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), handler]);
    return this;
  }

  emit(event: string, payload: unknown, acknowledge?: (answer: { ok: boolean }) => void): this {
    if (event === "ping") this.pings += 1;
    else this.emitted.push({ event, payload });
    if (this.#server.acknowledges) acknowledge?.({ ok: true });
    return this;
  }

  connect(): this {
    this.active = true;
    queueMicrotask(() =>
      this.#auth((auth) => {
        const { token } = auth as { token: string };
        const valid = !this.#server.validTokens || this.#server.validTokens.includes(token);
        this.connected = valid;
        this.active = valid;
        if (valid) this.hear("connect");
        else this.hear("connect_error", Object.assign(new Error("unauthorized"), { data: { code: "unauthorized" } }));
      }),
    );
    return this;
  }

  /** As socket.io-client does, emit `disconnect` only if the socket was connected. */
  disconnect(): this {
    const { connected } = this;
    this.connected = this.active = false;
    if (connected) this.hear("disconnect", "io client disconnect");
    return this;
  }

  hear(event: string, payload?: unknown): void {
    for (const handler of this.#handlers.get(event) ?? []) handler(payload as never);
  }
}
