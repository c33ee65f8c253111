import { expect, it } from "vitest";
import { firstLanguage, languageTag } from "../inbox/i18n/language.ts";
import { sanitized } from "../inbox/list/sanitize.ts";
import { fullTime, relativeTime } from "../inbox/i18n/time.ts";

it.each([
  ["en-US", "en-US"],
  ["en-US@posix", "en-US"],
  ["en_US.UTF-8", "en-US"],
  ["zh_CN", "zh-CN"],
  ["zh_hant_tw", "zh-Hant-TW"],
  ["pt_BR.ISO8859-1@euro", "pt-BR"],
  [" de ", "de"],
  ["iw", "he"],
])("%s is the language tag %s", (text, tag) => {
  expect(languageTag(text)).toBe(tag);
});

it.each(["", "C", "C.UTF-8", "not a language!", "en--US", "☂", "_", ".UTF-8", "a".repeat(10_000), null, undefined, 7])(
  "%s is none",
  (text) => {
    expect(languageTag(text as string)).toBeUndefined();
    expect(firstLanguage(text as string, "zh_CN", "de")).toBe("zh-CN");
    expect(firstLanguage(text as string)).toBe("en");
  },
);

it.each(["not a moment", "", "+999999-01-01T00:00:00Z", null, 7])("no words are made for the moment “%s”", (text) => {
  expect(relativeTime(text as string, Date.now(), "en")).toBe("");
  expect(fullTime(text as string, "en")).toBe("");
});

it("a moment is said as the server wrote it where the browser cannot say it", () => {
  const now = Date.parse("2030-01-31T09:00:00Z");
  expect(relativeTime("2030-01-31T08:00:00Z", now, "en_US")).toBe("2030-01-31T08:00:00.000Z");
  expect(relativeTime("2029-01-31T08:00:00Z", now, "en_US")).toBe("2029-01-31T08:00:00.000Z");
  expect(relativeTime("2030-01-31T08:00:00Z", now, "en-US")).toBe("1 hr. ago");
  expect(relativeTime("2031-01-31T08:00:00Z", now, "en-US")).toBe("now");
});

it("what is no text in an item is left out, and the rest stays", () => {
  const odd = { seq: 7, title: null, body: 5, actor: {}, kind: [], severity: 3, url: true, created_at: undefined };
  const nothing = { title: "–", body: null, actor: null, kind: "", severity: "none", url: null, created_at: "" };
  expect(sanitized(odd as never)).toEqual({ seq: 7, ...nothing });
  for (const none of [null, undefined]) expect(sanitized(none as never)).toEqual(nothing);
  const good = { seq: 7, title: "t", body: "b", actor: "a", kind: "k", severity: "high", url: "/", created_at: "now" };
  expect(sanitized(good as never)).toEqual(good);
});
