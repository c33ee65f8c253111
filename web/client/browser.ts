/**
 * Browser features that may be missing, or present and refused. A browser that blocks all site data has Web Locks,
 * storage and channels, and throws or rejects when they are used. Every use of such a feature goes through this file.
 */

/** The result of `use`; undefined where the browser lacks the feature or refuses it. */
export function attempt<Result>(use: () => Result): Result | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}

/** Of `navigator.locks`, what is used here. A request with `steal` takes the lock from its holder, which is rejected. */
export interface Locks {
  request(
    name: string,
    options: { readonly signal: AbortSignal } | { readonly steal: true },
    held: () => Promise<void>,
  ): Promise<unknown>;
}

export interface Browser {
  readonly locks: Locks | undefined;
  readonly Channel: typeof BroadcastChannel | undefined;
}

export function thisBrowser(): Browser {
  return {
    locks: attempt(() => navigator.locks as Locks | undefined),
    Channel: attempt(() => globalThis.BroadcastChannel),
  };
}

/** Whether somebody may be looking at the page. Outside a page: yes. */
export function isVisible(): boolean {
  return typeof document !== "object" || document.visibilityState === "visible";
}

const memory = new Map<string, string>();

/** A value of `store`: kept by the browser, or until the page is left where the browser refuses storage. */
export function stored(key: string): string | null {
  return memory.get(key) ?? attempt(() => localStorage.getItem(key)) ?? null;
}

export function store(key: string, value: string): void {
  const kept = attempt(() => {
    localStorage.setItem(key, value);
    return true;
  });
  if (kept) memory.delete(key);
  else memory.set(key, value);
}

/** Report an error of the page's own code as the browser reports those of event listeners: nothing else fails. */
export function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}

/** Call each listener; one that throws is reported, and the others are called. */
export function tellEach<Value>(listeners: Iterable<(value: Value) => void>, value: Value): void {
  for (const listener of listeners) {
    try {
      listener(value);
    } catch (error) {
      report(error);
    }
  }
}

/** Call `changed` when the size of the element changes. */
export function observeSize(element: Element, changed: () => void): void {
  const observes = attempt(() => {
    new ResizeObserver(changed).observe(element);
    return true;
  });
  if (!observes) addEventListener("resize", changed);
}

/** Calls `changed` with whether the element is within the window; null where the browser does not tell. */
export function sightObserver(changed: (inSight: boolean) => void): IntersectionObserver | null {
  return attempt(() => new IntersectionObserver(([entry]) => changed(entry?.isIntersecting ?? false))) ?? null;
}
