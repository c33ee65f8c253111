/** What the tests share: pages on one server, and the locks of one browser. */

import { afterEach, beforeEach, vi } from "vitest";
import { connect, type Inbox, type Options } from "../../client/index.ts";
import type { Locks } from "../../client/browser.ts";
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

interface Waiting {
  readonly held: () => Promise<void>;
  readonly granted: () => void;
  readonly done: () => void;
}

/** As `navigator.locks` has them: one holder a name, the others wait in line, and one may steal. */
export class BrowserLocks implements Locks {
  readonly #lines = new Map<string, Waiting[]>();
  readonly #broken = new Map<string, () => void>();

  request(name: string, options: { signal?: AbortSignal; steal?: boolean }, held: () => Promise<void>) {
    return new Promise<unknown>((resolve, reject) => {
      const line = this.#lines.get(name) ?? [];
      this.#lines.set(name, line);
      const fail = (): void => reject(new DOMException("The request was aborted.", "AbortError"));
      const granted = (): void => void this.#broken.set(name, fail);
      const mine = { held, granted, done: () => resolve(undefined) };
      options.signal?.addEventListener("abort", () => {
        if (line.indexOf(mine) > 0) line.splice(line.indexOf(mine), 1);
        if (line[0] !== mine) fail();
      });
      if (options.steal && line[0]) {
        this.#broken.get(name)?.();
        line.shift();
        line.unshift(mine);
        this.#grant(name, line);
      } else if (line.push(mine) === 1) {
        this.#grant(name, line);
      }
    });
  }

  #grant(name: string, line: Waiting[]): void {
    const [first] = line;
    if (!first) return;
    first.granted();
    queueMicrotask(() => {
      void first.held().then(() => {
        first.done();
        if (line[0] !== first) return; // it was stolen meanwhile
        line.shift();
        this.#grant(name, line);
      });
    });
  }
}
