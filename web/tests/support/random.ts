/** Random changes of an inbox, reproducible by a seed. */

import type { Server } from "./server.ts";

/** Make one random change. */
export function randomChange(server: Server, random: () => number): void {
  const seqs = [...server.items.keys()];
  const seq = seqs[Math.floor(random() * seqs.length)];
  const chance = random();
  if (chance < 0.55 || seq === undefined) server.add(`number ${server.version}`);
  else if (chance < 0.65) server.move("read", [seq]);
  else if (chance < 0.7) server.move("seen", null, server.version);
  else if (chance < 0.74) server.move("read", null, seq);
  else if (chance < 0.8) server.move("archived", [seq]);
  else if (chance < 0.83 && server.items.get(seq)?.read_at && !server.items.get(seq)?.archived_at)
    server.move("unread", [seq]);
  else if (chance < 0.9) server.move("deleted", [seq]);
}

/** A generator of numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed * 2654435761;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}
