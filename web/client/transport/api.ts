/** Belfry's HTTP API for one person. Every call rejects with a `BelfryError`. */

import { addressOf } from "./addresses.ts";
import { BelfryError } from "../errors.ts";
import type { Tokens } from "./tokens.ts";
import type { Changes, Counts, Item, Page, View } from "../types.ts";
import { isChange, isItem } from "../validate.ts";

const PATIENCE = 10_000; // milliseconds
const PAGE = 50; // items
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
    const follows = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await known(this.call("GET", `/v1/inbox?limit=${PAGE}${STATES[view]}${follows}`));
    return demand<Page>(page, "items", isItem);
  }

  /** Null when the changes since that version are not kept any more. */
  async changes(since: number): Promise<Changes | null> {
    const answer = await unless(410, known(this.call("GET", `/v1/inbox/changes?since=${since}`)));
    return answer === null ? null : demand<Changes>(answer, "changes", isChange);
  }

  /** Null when nothing changed since the last call. */
  async summary(): Promise<Counts | null> {
    const response = await this.#ask("GET", "/v1/inbox/summary", undefined, this.#summaryTag);
    if (response.status === 304) return null;
    const counts = demand<Counts>(await understood(response));
    this.#summaryTag = response.headers.get("ETag");
    return counts;
  }

  /** Null when it is gone. */
  item(seq: number): Promise<Item | null> {
    return unless(404, this.call("GET", `/v1/inbox/${seq}`) as Promise<Item>);
  }

  /** Resolves to the item's version after it. */
  async patch(seq: number, state: Patch): Promise<number> {
    return ((await this.call("PATCH", `/v1/inbox/${seq}`, state)) as Item).version;
  }

  /** Resolves to the inbox's version after it. */
  async mark(mark: Mark, which: Which): Promise<number> {
    return ((await this.call("POST", `/v1/inbox/${mark}`, which)) as Counts).version;
  }

  /** What is gone already is removed. */
  async remove(seq: number): Promise<void> {
    await unless(404, this.call("DELETE", `/v1/inbox/${seq}`));
  }

  /** Any call of the API, as this person. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    return understood(await this.#ask(method, path, body));
  }

  /** A token that was refused is renewed once, if it can be. */
  async #ask(method: string, path: string, body?: unknown, tag: string | null = null): Promise<Response> {
    const response = await this.#send(method, path, await this.#tokens.current(), body, tag);
    if (response.status !== 401 || !this.#tokens.renews) return response;
    return this.#send(method, path, await this.#tokens.renew(), body, tag);
  }

  async #send(method: string, path: string, token: string, body: unknown, tag: string | null): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (tag) headers["If-None-Match"] = tag;
    const told = body === undefined ? {} : { body: JSON.stringify(body) };
    const signal = AbortSignal.timeout(PATIENCE);
    const keepalive = method !== "GET" && path.startsWith("/v1/inbox/"); // a mark, done though its page is left
    try {
      return await fetch(this.#base + path, { method, headers, signal, keepalive, cache: "no-store", ...told });
    } catch {
      throw await this.#whyNothingCame();
    }
  }

  /** A browser does not say why: a server that answers when its answer may stay unread refuses only this page. */
  async #whyNothingCame(): Promise<BelfryError> {
    const probe = { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) } as const;
    const elsewhere = typeof location === "object" && new URL(this.#base).origin !== location.origin;
    const there =
      elsewhere &&
      (await fetch(`${this.#base}/healthz`, probe).then(
        () => true,
        () => false,
      ));
    return there
      ? new BelfryError("cors_refused", `${this.#base} does not answer pages of ${location.origin}.`)
      : new BelfryError("unreachable", `${this.#base} cannot be reached.`);
  }
}

/** Null in place of the error that an answer of this status is. */
function unless<Answer>(status: number, asked: Promise<Answer>): Promise<Answer | null> {
  return asked.catch((error: unknown) => {
    if (error instanceof BelfryError && error.status === status) return null;
    throw error;
  });
}

/** What every version of the contract has is missing at a server of some other. */
function known<Answer>(asked: Promise<Answer>): Promise<Answer> {
  return asked.catch((error: unknown) => {
    if (!(error instanceof BelfryError) || ![404, 405].includes(error.status) || error.code !== "refused") throw error;
    throw new BelfryError("incompatible", "The server does not know this call.", error);
  });
}

async function understood(response: Response): Promise<unknown> {
  const text = await response.text().catch(() => "");
  let answer: unknown = null;
  try {
    answer = text === "" ? null : JSON.parse(text);
  } catch {
    if (response.ok) throw new BelfryError("not_belfry", "What answered is not Belfry.", response);
  }
  if (!response.ok) throw problem(response.status, answer);
  return answer;
}

interface ProblemJson {
  readonly code?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
}

function problem(status: number, answer: unknown): BelfryError {
  const said = (typeof answer === "object" && answer !== null ? answer : {}) as ProblemJson;
  if (status === 401) return new BelfryError("token_refused", "The token was refused.", { status });
  if (status === 403) return new BelfryError("no_scope", "The token does not allow this.", { status });
  if (status === 429 || status >= 500)
    return new BelfryError("unavailable", `The server answered ${status}.`, { status });
  if (!said.code) return new BelfryError("not_belfry", `What answered (${status}) is not Belfry.`, { status });
  const errors = said.errors ?? [];
  const details = errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
  const message = details || said.detail || `The server answered ${status}.`;
  return new BelfryError("refused", message, { status, field: errors[0]?.field ?? null });
}

/** An answer that lacks what every version of the contract has is of some other. */
function demand<Shape extends Counts>(
  answer: unknown,
  list?: string,
  isEntry: (entry: unknown) => boolean = () => true,
): Shape {
  const said = (answer ?? {}) as Record<string, unknown>;
  const fits = Number.isInteger(said.version) && typeof said.epoch === "string" && Number.isInteger(said.unread);
  const entries = list ? said[list] : [];
  if (fits && Array.isArray(entries) && entries.every(isEntry)) return said as unknown as Shape;
  throw new BelfryError("incompatible", "The server's answer is not understood.");
}
