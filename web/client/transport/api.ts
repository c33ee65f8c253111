/** Belfry's HTTP API for one user. Every call rejects with a `BelfryError`. */

import { addressOf } from "./addresses.ts";
import { BelfryError } from "../errors.ts";
import type { Tokens } from "./tokens.ts";
import type { Changes, Counts, Item, Page, View } from "../types.ts";
import { isChange, isItem } from "../validate.ts";

const TIMEOUT = 10_000; // milliseconds
const PAGE_SIZE = 50; // items
const STATES: Record<View, string> = { all: "", unread: "&state=unread", archived: "&state=archived" };

export type Patch = { readonly read?: boolean; readonly seen?: boolean; readonly archived?: boolean };
export type Mark = "read" | "seen" | "archive";
export type Which = { readonly seqs: readonly number[] } | { readonly through: number };

export class Api {
  readonly #base: string;
  readonly #tokens: Tokens;
  #summaryTag: string | null = null;

  constructor(base: string, tokens: Tokens) {
    this.#base = addressOf(base).replace(/\/v1$/, "");
    this.#tokens = tokens;
  }

  async page(view: View, cursor: string | null): Promise<Page> {
    const next = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await knownRoute(this.call("GET", `/v1/inbox?limit=${PAGE_SIZE}${STATES[view]}${next}`));
    return validated<Page>(page, "items", isItem);
  }

  /** Null if the server no longer keeps the changes since that version. */
  async changes(since: number): Promise<Changes | null> {
    const answer = await nullOn(410, knownRoute(this.call("GET", `/v1/inbox/changes?since=${since}`)));
    return answer === null ? null : validated<Changes>(answer, "changes", isChange);
  }

  /** Null if nothing has changed since the last call. */
  async summary(): Promise<Counts | null> {
    const response = await this.#request("GET", "/v1/inbox/summary", undefined, this.#summaryTag);
    if (response.status === 304) return null;
    const counts = validated<Counts>(await parsed(response));
    this.#summaryTag = response.headers.get("ETag");
    return counts;
  }

  /** Null if the item is gone. */
  item(seq: number): Promise<Item | null> {
    return nullOn(404, this.call("GET", `/v1/inbox/${seq}`) as Promise<Item>);
  }

  /** Resolves to the item's new version. */
  async patch(seq: number, state: Patch): Promise<number> {
    return ((await this.call("PATCH", `/v1/inbox/${seq}`, state)) as Item).version;
  }

  /** Resolves to the inbox's new version. */
  async mark(mark: Mark, which: Which): Promise<number> {
    return ((await this.call("POST", `/v1/inbox/${mark}`, which)) as Counts).version;
  }

  /** An item that is gone already counts as removed. */
  async remove(seq: number): Promise<void> {
    await nullOn(404, this.call("DELETE", `/v1/inbox/${seq}`));
  }

  /** Any call of the API. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    return parsed(await this.#request(method, path, body));
  }

  /** If the token is refused, renew it and try once more. */
  async #request(method: string, path: string, body?: unknown, tag: string | null = null): Promise<Response> {
    const response = await this.#send(method, path, await this.#tokens.current(), body, tag);
    if (response.status !== 401 || !this.#tokens.renews) return response;
    return this.#send(method, path, await this.#tokens.renew(), body, tag);
  }

  async #send(method: string, path: string, token: string, body: unknown, tag: string | null): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (tag) headers["If-None-Match"] = tag;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const signal = AbortSignal.timeout(TIMEOUT);
    const keepalive = method !== "GET" && path.startsWith("/v1/inbox/"); // a mark is sent even if the user leaves the page
    try {
      return await fetch(this.#base + path, { method, headers, signal, keepalive, cache: "no-store", ...content });
    } catch {
      throw await this.#networkError();
    }
  }

  /** Browsers hide why a request failed. A server that answers an opaque request refuses only this page: CORS. */
  async #networkError(): Promise<BelfryError> {
    const probe = { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) } as const;
    const isCrossOrigin = typeof location === "object" && new URL(this.#base).origin !== location.origin;
    const answers =
      isCrossOrigin &&
      (await fetch(`${this.#base}/healthz`, probe).then(
        () => true,
        () => false,
      ));
    return answers
      ? new BelfryError("cors_refused", `${this.#base} does not answer pages of ${location.origin}.`)
      : new BelfryError("unreachable", `${this.#base} cannot be reached.`);
  }
}

/** Null in place of an error with this status. */
function nullOn<Answer>(status: number, call: Promise<Answer>): Promise<Answer | null> {
  return call.catch((error: unknown) => {
    if (error instanceof BelfryError && error.status === status) return null;
    throw error;
  });
}

/** Every version of this API has the route: a server without it has another API. */
function knownRoute<Answer>(call: Promise<Answer>): Promise<Answer> {
  return call.catch((error: unknown) => {
    if (!(error instanceof BelfryError) || ![404, 405].includes(error.status) || error.code !== "refused") throw error;
    throw new BelfryError("incompatible", "The server does not know this call.", error);
  });
}

async function parsed(response: Response): Promise<unknown> {
  const text = await response.text().catch(() => "");
  let answer: unknown = null;
  try {
    answer = text === "" ? null : JSON.parse(text);
  } catch {
    if (response.ok) throw new BelfryError("not_belfry", "What answered is not Belfry.", response);
  }
  if (!response.ok) throw errorOf(response.status, answer);
  return answer;
}

interface ProblemJson {
  readonly code?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
}

function errorOf(status: number, answer: unknown): BelfryError {
  const problem = (typeof answer === "object" && answer !== null ? answer : {}) as ProblemJson;
  if (status === 401) return new BelfryError("token_refused", "The token was refused.", { status });
  if (status === 403) return new BelfryError("no_scope", "The token does not allow this.", { status });
  if (status === 429 || status >= 500)
    return new BelfryError("unavailable", `The server answered ${status}.`, { status });
  if (!problem.code) return new BelfryError("not_belfry", `What answered (${status}) is not Belfry.`, { status });
  const errors = problem.errors ?? [];
  const details = errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
  const message = details || problem.detail || `The server answered ${status}.`;
  return new BelfryError("refused", message, { status, field: errors[0]?.field ?? null });
}

/** Every version of this API answers with these fields: an answer without them comes from another API. */
function validated<Shape extends Counts>(
  answer: unknown,
  list?: string,
  isEntry: (entry: unknown) => boolean = () => true,
): Shape {
  const fields = (answer ?? {}) as Record<string, unknown>;
  const fits = Number.isInteger(fields.version) && typeof fields.epoch === "string" && Number.isInteger(fields.unread);
  const entries = list ? fields[list] : [];
  if (fits && Array.isArray(entries) && entries.every(isEntry)) return fields as unknown as Shape;
  throw new BelfryError("incompatible", "The server's answer is not understood.");
}
