/** What happens at random, the same for the same seed. */

import type { Server } from "./server.ts";

/** One thing that happens to an inbox. */
export function happen(server: Server, random: () => number): void {
  const seqs = [...server.items.keys()];
  const seq = seqs[Math.floor(random() * seqs.length)];
  const what = random();
  if (what < 0.55 || seq === undefined) server.add(`number ${server.version}`);
  else if (what < 0.65) server.move("read", [seq]);
  else if (what < 0.7) server.move("seen", null, server.version);
  else if (what < 0.74) server.move("read", null, seq);
  else if (what < 0.8) server.move("archived", [seq]);
  else if (what < 0.83 && server.items.get(seq)?.read_at && !server.items.get(seq)?.archived_at)
    server.move("unread", [seq]);
  else if (what < 0.9) server.move("deleted", [seq]);
}

/** Numbers in [0, 1), the same for the same seed. */
export function generator(seed: number): () => number {
  let state = seed * 2654435761;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}
