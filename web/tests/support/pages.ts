/** Inboxes on one in-memory server, and the locks of one browser. */

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

/** Wait until `holds` no longer throws. */
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

/** Works as `navigator.locks`: each name has one holder and a queue, and a request may steal the lock. */
export class BrowserLocks implements Locks {
  readonly #queues = new Map<string, Waiting[]>();
  readonly #stolen = new Map<string, () => void>();

  request(name: string, options: { signal?: AbortSignal; steal?: boolean }, held: () => Promise<void>) {
    return new Promise<unknown>((resolve, reject) => {
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, queue);
      const fail = (): void => reject(new DOMException("The request was aborted.", "AbortError"));
      const granted = (): void => void this.#stolen.set(name, fail);
      const mine = { held, granted, done: () => resolve(undefined) };
      options.signal?.addEventListener("abort", () => {
        if (queue.indexOf(mine) > 0) queue.splice(queue.indexOf(mine), 1);
        if (queue[0] !== mine) fail();
      });
      if (options.steal && queue[0]) {
        this.#stolen.get(name)?.();
        queue.shift();
        queue.unshift(mine);
        this.#grant(name, queue);
      } else if (queue.push(mine) === 1) {
        this.#grant(name, queue);
      }
    });
  }

  #grant(name: string, queue: Waiting[]): void {
    const [first] = queue;
    if (!first) return;
    first.granted();
    queueMicrotask(() => {
      void first.held().then(() => {
        first.done();
        if (queue[0] !== first) return; // the lock was stolen
        queue.shift();
        this.#grant(name, queue);
      });
    });
  }
}
