/** Where tokens come from. */

import { BelfryError } from "../errors.ts";

export type GetToken = () => string | Promise<string>;

/** Hands out one token until it is told that this one is spent; then it asks for another, once for all who wait. */
export class Tokens {
  #token: string | null;
  #get: GetToken | null;
  #asked: Promise<string> | null = null;

  constructor(token: string | null | undefined, get: GetToken | null | undefined) {
    this.#token = token || null;
    this.#get = get ?? null;
    if (!this.#token && !this.#get) throw new BelfryError("no_token", "There is no token.");
  }

  get renews(): boolean {
    return this.#get !== null;
  }

  /** Rejects with a `BelfryError`. */
  current(): Promise<string> {
    return this.#token === null ? this.renew() : Promise.resolve(this.#token);
  }

  renew(): Promise<string> {
    this.#asked ??= this.#ask().finally(() => {
      this.#asked = null;
    });
    return this.#asked;
  }

  replace(token: string): void {
    this.#token = token;
  }

  async #ask(): Promise<string> {
    if (!this.#get) throw new BelfryError("token_refused", "The token was refused.", { status: 401 });
    let token: unknown;
    try {
      token = await this.#get();
    } catch (error) {
      throw new BelfryError(
        "unavailable",
        `getToken failed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    if (typeof token !== "string" || !token) throw new BelfryError("no_token", "getToken gave no token.");
    this.#token = token;
    return token;
  }
}

interface Claims {
  readonly sub: string;
  readonly scopes: readonly string[];
}

/** What a token says of itself; the server is who verifies it. Throws a `BelfryError` for what is no token. */
export function claimsOf(token: string): Claims {
  try {
    const [, payload = ""] = token.split(".");
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (char) =>
      char.charCodeAt(0),
    );
    const { sub, scope } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown; scope?: unknown };
    if (typeof sub === "string" && sub) return { sub, scopes: String(scope ?? "").split(" ") };
  } catch {
    // said below, the same for every reason
  }
  throw new BelfryError("bad_token", "This is not a token.");
}
