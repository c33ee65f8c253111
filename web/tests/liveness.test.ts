import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Liveness } from "../client/transport/liveness.ts";

let acknowledge: (() => void)[];
let events: string[];
let liveness: Liveness;

beforeEach(() => {
  vi.useFakeTimers();
  acknowledge = [];
  events = [];
  const socket = { emit: (_event: string, _payload: unknown, done: () => void) => acknowledge.push(done) };
  liveness = new Liveness(socket);
  for (const event of ["unsure", "alive", "dead"] as const) liveness.on(event, () => events.push(event));
});

afterEach(() => vi.useRealTimers());

/** Acknowledge the last ping. */
function answer(): void {
  acknowledge.at(-1)?.();
}

function connect(): void {
  liveness.connected();
  answer();
  events.length = 0;
}

describe("a connection", () => {
  it("is asked for an acknowledgement at its beginning, and when somebody is back", () => {
    connect();
    expect(acknowledge).toHaveLength(1);
    liveness.check();
    answer();
    expect(acknowledge).toHaveLength(2);
    vi.advanceTimersByTime(20_000);
    expect(events).toEqual(["alive"]);
  });

  it("is asked once at a time", () => {
    connect();
    liveness.check();
    liveness.check();
    expect(acknowledge).toHaveLength(2);
  });

  it("is unsure after one second, and dead after three", () => {
    connect();
    liveness.check();
    vi.advanceTimersByTime(999);
    expect(events).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(events).toEqual(["unsure"]);
    vi.advanceTimersByTime(2_000);
    expect(events).toEqual(["unsure", "dead"]);
  });

  it("is asked when the server was silent for longer than it pings", () => {
    connect();
    for (let ping = 0; ping < 4; ping += 1) {
      vi.advanceTimersByTime(25_000);
      liveness.heard();
    }
    expect(acknowledge).toHaveLength(1);
    vi.advanceTimersByTime(35_000);
    expect(acknowledge).toHaveLength(2);
    vi.advanceTimersByTime(3_000);
    expect(events.at(-1)).toBe("dead");
  });

  it("is asked nothing once it has ended", () => {
    connect();
    liveness.check();
    liveness.stop();
    vi.advanceTimersByTime(60_000);
    expect(events).toEqual([]);
    expect(acknowledge).toHaveLength(2);
  });

  it("of a slow network is given twice the time that the last acknowledgement took", () => {
    liveness.connected();
    vi.advanceTimersByTime(4_000);
    answer();
    liveness.check();
    vi.advanceTimersByTime(7_999);
    expect(events).toEqual(["unsure"]);
    vi.advanceTimersByTime(1);
    expect(events).toEqual(["unsure", "dead"]);
  });
});

describe("a server that acknowledges nothing", () => {
  it("is never left for that", () => {
    liveness.connected();
    for (let occasion = 0; occasion < 10; occasion += 1) {
      vi.advanceTimersByTime(60_000);
      liveness.check();
    }
    expect(events).toEqual([]);
  });

  it("is left once when an earlier one acknowledged, and not again", () => {
    connect();
    liveness.check();
    vi.advanceTimersByTime(3_000);
    expect(events).toEqual(["unsure", "dead"]);
    liveness.stop();
    liveness.connected();
    for (let occasion = 0; occasion < 10; occasion += 1) {
      vi.advanceTimersByTime(60_000);
      liveness.check();
    }
    expect(events).toEqual(["unsure", "dead"]);
  });
});
