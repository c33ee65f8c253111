/** What the tests share: pages on one server, and the locks of one browser. */

import { afterEach, beforeEach, vi } from "vitest";
import { connect, type Inbox, type Options } from "../client/index.ts";
import type { Locks } from "../client/tabs.ts";
import { Server, tokenOf } from "./server.ts";

export let server: Server;
const opened: Inbox[] = [];

beforeEach(() => {
  server = new Server();
  vi.stubGlobal("fetch", server.fetch);
});

afterEach(() => {
  for (const inbox of opened.splice(0)) inbox.close();
  vi.unstubAllGlobals();
});

/** Wait until this holds. */
export function eventually<Found>(holds: () => Found): Promise<Found> {
  return vi.waitFor(holds, { timeout: 10_000, interval: 5 }) as Promise<Found>;
}

export function open(options: Partial<Options> = {}): Inbox {
  const base = { api: "http://api.example", push: "http://push.example", io: server.io, share: false };
  const token = options.getToken ? null : tokenOf("bob");
  const inbox = connect({ ...base, token, ...options });
  opened.push(inbox);
  return inbox;
}

export async function openOnline(options: Partial<Options> = {}): Promise<Inbox> {
  const inbox = open(options);
  await eventually(() => {
    if (inbox.state.status !== "online") throw new Error(`it is ${inbox.state.status}: ${inbox.state.problem}`);
  });
  return inbox;
}

export function titles(inbox: Inbox, view: "all" | "unread" | "archived" = "all"): string[] {
  return inbox.list(view).items.map((item) => item.title);
}

/** As `navigator.locks` has them: one holder a name, the others wait in line. */
export class BrowserLocks implements Locks {
  readonly #lines = new Map<string, Promise<unknown>>();

  async request(name: string, { signal }: { signal: AbortSignal }, held: () => Promise<void>): Promise<unknown> {
    const before = this.#lines.get(name) ?? Promise.resolve();
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    const mine = before.then(() => (signal.aborted ? undefined : Promise.race([held(), aborted])));
    this.#lines.set(name, mine);
    return mine;
  }
}
