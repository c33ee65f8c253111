import { expect, it } from "vitest";
import { RowHeights } from "../inbox/list/row_heights.ts";

it("rows lie one below the other, those that were not measured as high as the others on average", () => {
  const heights = new RowHeights();
  heights.measure(9, 50);
  heights.measure(7, 150);
  heights.layout([9, 8, 7, 6]);
  expect([0, 1, 2, 3].map((index) => heights.top(index))).toEqual([0, 50, 150, 300]);
  expect(heights.total).toBe(400);
});

it("a row is found by each height that it covers, and the first and last beyond the ends", () => {
  const heights = new RowHeights();
  const seqs = Array.from({ length: 500 }, (_, index) => 500 - index);
  for (const seq of seqs) heights.measure(seq, 20 + ((seq * 37) % 90));
  heights.layout(seqs);
  for (const index of seqs.keys()) {
    expect(heights.indexAt(heights.top(index))).toBe(index);
    expect(heights.indexAt(heights.top(index + 1) - 0.5)).toBe(index);
  }
  expect(heights.indexAt(-100)).toBe(0);
  expect(heights.indexAt(heights.total + 100)).toBe(499);
});

it("a list without rows has none at any height", () => {
  const heights = new RowHeights();
  heights.layout([]);
  expect([heights.indexAt(0), heights.total]).toEqual([0, 0]);
});

it("it says whether a height is news", () => {
  const heights = new RowHeights();
  expect([heights.measure(1, 40), heights.measure(1, 40.2), heights.measure(1, 0), heights.measure(1, 41)]).toEqual([
    true,
    false,
    false,
    true,
  ]);
});
