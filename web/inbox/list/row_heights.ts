/** How high each row of a long list is: measured, or guessed from those that were. */

const FIRST_GUESS = 88; // pixels

export class Heights {
  #known = new Map<number, number>();
  #tops: number[] = [0]; // where each row begins; the last one is where all end

  /** Lay the rows of these out, one below the other. */
  lay(seqs: Iterable<number>): void {
    let sum = 0;
    for (const height of this.#known.values()) sum += height;
    const guess = this.#known.size ? sum / this.#known.size : FIRST_GUESS;
    let top = 0;
    this.#tops = [top];
    for (const seq of seqs) this.#tops.push((top += this.#known.get(seq) ?? guess));
  }

  /** A row is as high as this. True where that was not known. */
  learn(seq: number, height: number): boolean {
    if (height === 0 || Math.abs((this.#known.get(seq) ?? -1) - height) < 0.5) return false;
    this.#known.set(seq, height);
    return true;
  }

  forget(): void {
    this.#known.clear();
  }

  /** Where the row at this index begins. */
  top(index: number): number {
    return this.#tops[index] ?? this.end;
  }

  get end(): number {
    return this.#tops.at(-1) ?? 0;
  }

  /** The index of the row at this height; of the last one where there is none. */
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
