/** Belfry's HTTP API for one person. Every call rejects with an `ApiError` whose message can be shown as it is. */

const PATIENCE = 10_000; // milliseconds
const NEWEST = 100; // items that a pane loads: the largest page there is

export const REFUSED = "The token was refused: it is not valid here, or it has expired.";

export class ApiError extends Error {
  /** `status` is 0 when nobody answered; `field` names what is wrong with the request, if it is known. */
  constructor(message, { status = 0, field = null } = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.field = field;
  }

  /** Whether the same call may succeed a little later. */
  get passing() {
    return this.status === 0 || this.status >= 500;
  }
}

export function makeApi(base, token) {
  const call = (method, path, body) => request(`${base}${path}`, method, token, body);
  return {
    inbox: () => call("GET", `/inbox?state=all&limit=${NEWEST}`),
    changes: (since) => call("GET", `/inbox/changes?since=${since}`),
    setRead: (seq, read) => call("PATCH", `/inbox/${seq}`, { read }),
    markAllRead: (through) => call("POST", "/inbox/read", { through }),
    sendMessage: (to, text) => call("POST", "/messages", { to, text }),
    follow: (target) => call("POST", "/follows", { target }),
  };
}

async function request(url, method, token, body) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body) headers["Content-Type"] = "application/json";
  const signal = AbortSignal.timeout(PATIENCE);
  let response;
  let answer;
  try {
    response = await fetch(url, { method, headers, signal, cache: "no-store", body: body && JSON.stringify(body) });
    answer = await response.json().catch(nothingIfNotJson);
  } catch {
    throw new ApiError("Belfry cannot be reached. Is it running?");
  }
  if (!response.ok) throw problem(response.status, answer);
  return answer;
}

function nothingIfNotJson(error) {
  if (error instanceof SyntaxError) return null;
  throw error;
}

function problem(status, answer) {
  if (status === 401) return new ApiError(REFUSED, { status });
  if (status === 403) return new ApiError("The token does not allow this: it lacks a scope.", { status });
  const errors = answer?.errors ?? [];
  const details = errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
  return new ApiError(details || answer?.detail || `The server answered ${status}.`, { status, field: errors[0]?.field });
}
