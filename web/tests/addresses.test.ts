/** The addresses of the API and of the push server, in their various forms. */

import { describe, expect, it } from "vitest";
import { addressOf, socketOf } from "../client/transport/addresses.ts";

describe("the address of the API", () => {
  it.each([
    ["https://belfry.example", "https://belfry.example"],
    ["https://Example.com:443/belfry/", "https://example.com/belfry"],
    ["http://localhost:8000/a/b", "http://localhost:8000/a/b"],
  ])("%s is %s", (text, address) => {
    expect(addressOf(text)).toBe(address);
  });

  it.each(["ftp://belfry.example", "javascript:alert(1)", "http://"])("%s is none", (text) => {
    expect(() => addressOf(text)).toThrow(expect.objectContaining({ code: "bad_address" }));
  });
});

describe("the address of the push server", () => {
  it.each([
    ["https://push.example", "https://push.example", "/socket.io"],
    ["https://example.com/live", "https://example.com", "/live/socket.io"],
    ["https://example.com/a/live/", "https://example.com", "/a/live/socket.io"],
    ["wss://example.com/live", "https://example.com", "/live/socket.io"],
    ["https://example.com/live?node=1", "https://example.com/?node=1", "/live/socket.io"],
  ])("%s is %s, and %s there", (text, url, path) => {
    expect(socketOf(text)).toEqual({ url, path });
  });
});
