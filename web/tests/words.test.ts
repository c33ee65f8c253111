import { expect, it } from "vitest";
import { BelfryError } from "../client/index.ts";
import { addWords, inWords, spoken, wordsOf } from "../inbox/words.ts";

it.each([
  ["zh-CN", "通知"],
  ["zh-Hant", "通知"],
  ["en-GB", "Notifications"],
  ["tlh", "Notifications"],
])("words of %s are found by the language, its first part, or in English", (language, title) => {
  expect(wordsOf(language).title).toBe(title);
});

it.each([
  ["zh-TW", "zh-TW"],
  ["en-GB", "en-GB"],
  ["ar", "en"],
])("for %s, times are told in the language of the words: %s", (language, told) => {
  expect(spoken(language)).toBe(told);
});

it("a language that is added says in English what it lacks", () => {
  addWords("de", { title: "Benachrichtigungen" });
  expect(wordsOf("de-AT")).toMatchObject({ title: "Benachrichtigungen", markAllRead: "Mark all read" });
});

it("a problem is said in each language, by the library's own words where it has none", () => {
  const problem = new BelfryError("no_scope", "The token does not allow this.");
  expect(inWords(wordsOf("en"), problem).what).toBe("The token does not allow this.");
  expect(inWords(wordsOf("zh"), problem).what).toBe("令牌没有权限。");
});
