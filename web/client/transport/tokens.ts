/** The user's token: given once, or fetched by `getToken` whenever one is needed. */

import { BelfryError } from "../errors.ts";

export type GetToken = () => string | Promise<string>;

/** Keeps the current token. `renew` calls `getToken` once, however many callers wait for it. */
export class Tokens {
  #token: string | null;
  #get: GetToken | null;
  #renewal: Promise<string> | null = null;

  constructor(token: string | null | undefined, get: GetToken | null | undefined) {
    this.#token = token || null;
    this.#get = get ?? null;
    if (!this.#token && !this.#get) throw new BelfryError("no_token", "There is no token.");
  }

  /** Whether there is a `getToken`. */
  get renews(): boolean {
    return this.#get !== null;
  }

  /** Rejects with a `BelfryError`. */
  current(): Promise<string> {
    return this.#token === null ? this.renew() : Promise.resolve(this.#token);
  }

  renew(): Promise<string> {
    this.#renewal ??= this.#fetch().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  replace(token: string): void {
    this.#token = token;
  }

  async #fetch(): Promise<string> {
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

/** The claims of a token, unverified: that is for the server. Throws a `BelfryError` for a malformed token. */
export function claimsOf(token: string): Claims {
  try {
    const [, payload = ""] = token.split(".");
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (char) =>
      char.charCodeAt(0),
    );
    const { sub, scope } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown; scope?: unknown };
    if (typeof sub === "string" && sub) return { sub, scopes: String(scope ?? "").split(" ") };
  } catch {
    // the error below is the same for every reason
  }
  throw new BelfryError("bad_token", "This is not a token.");
}
