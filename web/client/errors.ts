/** Errors with stable codes, worded for the developers of the page. */

export type ProblemCode =
  | "no_token"
  | "bad_token"
  | "token_refused"
  | "no_scope"
  | "bad_address"
  | "unreachable"
  | "cors_refused"
  | "not_belfry"
  | "incompatible"
  | "unavailable"
  | "push_unreachable"
  | "push_refused"
  | "refused";

const ADVICE: Record<ProblemCode, string> = {
  no_token: "Give a token by the attribute `token`, or a function that fetches one by the property `getToken`.",
  bad_token: "Give a JWT: three parts with dots between them, with the user's id in its claim `sub`.",
  token_refused:
    "It has expired, or it is signed with another key than the server's JWT_SECRET or JWT_JWKS_URL. " +
    "Give a new one, or `getToken`, which is asked whenever one is needed.",
  no_scope: "Sign the token with `inbox` in its claim `scope`.",
  bad_address: "Give an address such as https://belfry.example.com, without /v1.",
  unreachable: "Is Belfry running, and is this its address? It is tried again by itself.",
  cors_refused:
    "List this page's origin in the server's CORS_ORIGINS, and start the API again. It is tried again by itself.",
  not_belfry:
    "Something else answers there. Give the address of Belfry's API, without /v1. It is tried again by itself.",
  incompatible:
    "The server is much older or newer than this script. Load the script that the server itself serves. " +
    "It is tried again by itself.",
  unavailable: "The server is there and cannot serve now. It is tried again by itself.",
  push_unreachable:
    "Is the push server running, is this its address, and is this page's origin in its CORS_ORIGINS? " +
    "Until then the inbox looks every few seconds.",
  push_refused: "Until then the inbox looks every few seconds.",
  refused: "See the field that is named.",
};

const PASSING: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  "unreachable",
  "unavailable",
  "cors_refused",
  "not_belfry",
  "incompatible",
]);

/** `message` says what failed, `advice` what to do, and `passing` whether a retry may help. */
export class BelfryError extends Error {
  readonly code: ProblemCode;
  /** The HTTP status; 0 without an answer. */
  readonly status: number;
  /** The field of the request that is wrong, if the server names one. */
  readonly field: string | null;

  constructor(code: ProblemCode, message: string, { status = 0, field = null as string | null } = {}) {
    super(message);
    this.name = "BelfryError";
    this.code = code;
    this.status = status;
    this.field = field;
  }

  get advice(): string {
    return ADVICE[this.code];
  }

  get passing(): boolean {
    return PASSING.has(this.code);
  }
}
