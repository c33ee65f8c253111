/**
 * One recipient's inbox as a client holds it: the rule that every client of Belfry follows, and nothing else.
 *
 * The server numbers the changes of an inbox 1, 2, 3, … without gaps. A client applies the change that comes next,
 * ignores what it has already, and whenever something may be missing it fetches all changes since its own version.
 * So it does not matter whether the socket loses a change, repeats it, or brings it out of order.
 */
export class Inbox {
  /** The items held, by their seq. */
  items = new Map();
  unread = 0;
  unseen = 0;
  /** The number of the last change that is in here; null until the inbox is loaded. */
  version = null;
  /** Which history the versions belong to: a server restored from a backup begins another. */
  epoch = null;

  #api;
  #onChange;
  #following = null;
  #askedAgain = false;

  /**
   * `api.inbox()` resolves to the answer of GET /v1/inbox, `api.changes(since)` to that of GET /v1/inbox/changes;
   * both reject with an error that has the HTTP `status`. `onChange()` is called whenever the inbox looks different.
   */
  constructor(api, onChange = () => {}) {
    this.#api = api;
    this.#onChange = onChange;
  }

  /** Take what the socket said in `notification` or `inbox`. Resolves when that is in here; rejects like `catchUp`. */
  async receive(change) {
    if (this.version === null) return this.catchUp();
    if (change.epoch !== this.epoch) return this.#startAnew();
    if (change.version <= this.version) return;
    if (change.version > this.version + 1) return this.catchUp();
    if (!this.#apply(change)) return this.#startAnew();
    this.#arriveAt(change.version, change);
  }

  /**
   * Load the inbox, or fetch what happened since it was loaded: on every (re)connect, on `sync`, and now and then.
   * Calls join: one request is under way at a time. Rejects with the error of `api`; call again to try again.
   */
  catchUp() {
    this.#askedAgain = true;
    this.#following ??= this.#follow();
    return this.#following;
  }

  async #follow() {
    try {
      while (this.#askedAgain) {
        this.#askedAgain = false;
        await (this.version === null ? this.#load() : this.#fetchChanges());
      }
    } finally {
      this.#following = null;
    }
  }

  async #load() {
    const page = await this.#api.inbox();
    this.items = new Map(page.items.map((item) => [item.seq, item]));
    this.epoch = page.epoch;
    this.#arriveAt(page.version, page);
  }

  async #fetchChanges() {
    const page = await this.#api.changes(this.version).catch(absentWhenGone);
    const continues = page && page.epoch === this.epoch && this.version !== null;
    if (!continues || !page.changes.every((change) => change.version <= this.version || this.#apply(change))) {
      this.#forget();
      return;
    }
    if (page.version >= this.version) this.#arriveAt(page.version, page.more ? this : page);
    this.#askedAgain ||= page.more;
  }

  /** The counts belong to the version: they are replaced together, so an answer that comes late spoils neither. */
  #arriveAt(version, { unread, unseen }) {
    Object.assign(this, { version, unread, unseen });
    this.#onChange();
  }

  #startAnew() {
    this.#forget();
    return this.catchUp();
  }

  #forget() {
    this.version = null;
    this.#askedAgain = true;
  }

  /** False when this kind of change is not known here. */
  #apply(change) {
    if (change.change === "added") {
      this.items.set(change.item.seq, change.item);
    } else if (REMOVALS.has(change.change)) {
      for (const item of this.#concerned(change)) this.items.delete(item.seq);
    } else if (change.change in EFFECTS) {
      for (const item of this.#concerned(change)) move(item, change);
    } else {
      return false;
    }
    return true;
  }

  /** A change names its items by `seqs`, or means all up to `through`, narrowed by `kind` and `topic` if it has them. */
  #concerned({ seqs, through, kind, topic }) {
    if (seqs) return seqs.map((seq) => this.items.get(seq)).filter(Boolean);
    return [...this.items.values()].filter(
      (item) => item.seq <= through && (kind ?? item.kind) === item.kind && (topic ?? item.topic) === item.topic,
    );
  }
}

/** Read implies seen; archived implies read. What is so already keeps its time. What is made unread leaves the archive. */
const EFFECTS = {
  __proto__: null,
  seen: { sets: ["seen_at"] },
  read: { sets: ["seen_at", "read_at"] },
  archived: { sets: ["seen_at", "read_at", "archived_at"] },
  unread: { clears: ["read_at", "archived_at"] },
  unarchived: { clears: ["archived_at"] },
};
const REMOVALS = new Set(["deleted", "recalled", "expired"]);

/**
 * Bring an item to a state and to the change's version, unless it is so already. An item that was fetched at a later
 * version than this change's has it in it, whatever its state is since then.
 */
function move(item, { change, version, at }) {
  const { sets = [], clears = [] } = EFFECTS[change];
  if (item.version >= version || (sets.length && item[sets.at(-1)])) return;
  for (const name of sets) item[name] ??= at;
  for (const name of clears) item[name] = null;
  item.version = version;
}

/** 410: the changes since our version are no longer kept. */
function absentWhenGone(error) {
  if (error.status === 410) return null;
  throw error;
}
