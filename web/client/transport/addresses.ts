/** The addresses of the API and of the push server. They may be relative to the page, and have a path. */

import { BelfryError } from "../errors.ts";

/** The absolute address without a trailing slash. Throws a `BelfryError` if it is not an http(s) address. */
export function addressOf(text: string): string {
  const { origin, pathname } = parse(text);
  return `${origin}${pathname}`.replace(/\/+$/, "");
}

/** Socket.IO's URL and `path` option; a path in its URL would be a namespace. Throws a `BelfryError`. */
export function socketOf(push: string): { url: string; path: string } {
  const { origin, pathname, search } = parse(push.replace(/^ws(s?):/i, "http$1:"));
  return { url: origin + (search && `/${search}`), path: `${pathname.replace(/\/+$/, "")}/socket.io` };
}

function parse(text: string): URL {
  try {
    const base = typeof document === "object" ? document.baseURI : globalThis.location?.href;
    const url = new URL(text || "/", base);
    if (/^https?:$/.test(url.protocol)) return url;
  } catch {
    // the error is thrown below
  }
  throw new BelfryError("bad_address", `“${text}” is not an address.`);
}
