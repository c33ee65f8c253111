/** The heights of the rows of a virtual list: measured, or estimated by the average of the measured ones. */

const FIRST_ESTIMATE = 88; // pixels

export class RowHeights {
  #measured = new Map<number, number>();
  #tops: number[] = [0]; // of each row; the last one is the end of the list

  /** Compute the position of each row. */
  layout(seqs: Iterable<number>): void {
    let sum = 0;
    for (const height of this.#measured.values()) sum += height;
    const estimate = this.#measured.size ? sum / this.#measured.size : FIRST_ESTIMATE;
    let top = 0;
    this.#tops = [top];
    for (const seq of seqs) this.#tops.push((top += this.#measured.get(seq) ?? estimate));
  }

  /** Record a row's height. Returns whether it was another before. */
  measure(seq: number, height: number): boolean {
    if (height === 0 || Math.abs((this.#measured.get(seq) ?? -1) - height) < 0.5) return false;
    this.#measured.set(seq, height);
    return true;
  }

  clear(): void {
    this.#measured.clear();
  }

  /** The top of the row at this index. */
  top(index: number): number {
    return this.#tops[index] ?? this.total;
  }

  get total(): number {
    return this.#tops.at(-1) ?? 0;
  }

  /** The index of the row at this position, or of the nearest row. */
  indexAt(y: number): number {
    let low = 0;
    let high = Math.max(0, this.#tops.length - 2);
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.top(middle) <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
