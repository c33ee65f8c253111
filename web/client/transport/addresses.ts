/** The addresses of the API and of the push server: absolute or relative to the page, perhaps below a path of a site. */

import { BelfryError } from "../errors.ts";

/** Without a slash at its end. Throws a `BelfryError` for what is not an http(s) address. */
export function addressOf(text: string): string {
  const { origin, pathname } = parse(text);
  return `${origin}${pathname}`.replace(/\/+$/, "");
}

/** Where Socket.IO connects: in its own URLs a path is the name of a namespace. Throws a `BelfryError`. */
export function socketOf(push: string): { url: string; path: string } {
  const { origin, pathname, search } = parse(push.replace(/^ws(s?):/i, "http$1:"));
  return { url: origin + (search && `/${search}`), path: `${pathname.replace(/\/+$/, "")}/socket.io` };
}

function parse(text: string): URL {
  try {
    const here = typeof document === "object" ? document.baseURI : globalThis.location?.href;
    const url = new URL(text || "/", here);
    if (/^https?:$/.test(url.protocol)) return url;
  } catch {
    // said below
  }
  throw new BelfryError("bad_address", `“${text}” is not an address.`);
}
