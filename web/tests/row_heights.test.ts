import { expect, it } from "vitest";
import { Heights } from "../inbox/list/row_heights.ts";

it("rows lie one below the other, those that were not measured as high as the others on average", () => {
  const heights = new Heights();
  heights.learn(9, 50);
  heights.learn(7, 150);
  heights.lay([9, 8, 7, 6]);
  expect([0, 1, 2, 3].map((index) => heights.top(index))).toEqual([0, 50, 150, 300]);
  expect(heights.end).toBe(400);
});

it("a row is found by each height that it covers, and the first and last beyond the ends", () => {
  const heights = new Heights();
  const seqs = Array.from({ length: 500 }, (_, index) => 500 - index);
  for (const seq of seqs) heights.learn(seq, 20 + ((seq * 37) % 90));
  heights.lay(seqs);
  for (const index of seqs.keys()) {
    expect(heights.indexAt(heights.top(index))).toBe(index);
    expect(heights.indexAt(heights.top(index + 1) - 0.5)).toBe(index);
  }
  expect(heights.indexAt(-100)).toBe(0);
  expect(heights.indexAt(heights.end + 100)).toBe(499);
});

it("a list without rows has none at any height", () => {
  const heights = new Heights();
  heights.lay([]);
  expect([heights.indexAt(0), heights.end]).toEqual([0, 0]);
});

it("it says whether a height is news", () => {
  const heights = new Heights();
  expect([heights.learn(1, 40), heights.learn(1, 40.2), heights.learn(1, 0), heights.learn(1, 41)]).toEqual([
    true,
    false,
    false,
    true,
  ]);
});
