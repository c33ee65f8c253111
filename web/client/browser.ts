/**
 * Browser features that may be missing, or present and refused. A browser that blocks all site data has Web Locks,
 * storage and channels, and throws or rejects when they are used. Every use of such a feature goes through this file.
 */

/** The result of `use`; undefined if the browser lacks the feature or refuses it. */
export function attempt<Result>(use: () => Result): Result | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}

/** The part of `navigator.locks` that is used here. A request with `steal` takes the lock; the holder's is rejected. */
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

/** Whether the page is visible. True outside a browser. */
export function isVisible(): boolean {
  return typeof document !== "object" || document.visibilityState === "visible";
}

const memory = new Map<string, string>();

/** A value of `store`. In a browser that refuses storage it lasts as long as the page. */
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

/** Report an error in the page's own code, as the browser reports errors in event listeners. */
export function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}

/** Call each listener. An error in one is reported and does not keep the others from being called. */
export function callEach<Value>(listeners: Iterable<(value: Value) => void>, value: Value): void {
  for (const listener of listeners) {
    try {
      listener(value);
    } catch (error) {
      report(error);
    }
  }
}

/** Call `changed` when the size of the element changes, or at least when the window's does. */
export function observeSize(element: Element, changed: () => void): void {
  const observes = attempt(() => {
    new ResizeObserver(changed).observe(element);
    return true;
  });
  if (!observes) addEventListener("resize", changed);
}

/** Calls `changed` with whether the observed element is in the window; null if the browser has no such observer. */
export function intersectionObserver(changed: (isInWindow: boolean) => void): IntersectionObserver | null {
  return attempt(() => new IntersectionObserver(([entry]) => changed(entry?.isIntersecting ?? false))) ?? null;
}
