import { afterEach, expect, it, vi } from "vitest";
import { BelfryError } from "../client/index.ts";
import { addWords, problemText, supportedLanguage, wordsFor } from "../inbox/i18n/translations.ts";

it.each([
  ["zh-CN", "通知"],
  ["zh-Hant", "通知"],
  ["en-GB", "Notifications"],
  ["tlh", "Notifications"],
])("words of %s are found by the language, its first part, or in English", (language, title) => {
  expect(wordsFor(language).title).toBe(title);
});

it.each([
  ["zh-TW", "zh-TW"],
  ["en-GB", "en-GB"],
  ["ar", "en"],
])("for %s, times are told in the language of the words: %s", (language, told) => {
  expect(supportedLanguage(language)).toBe(told);
});

it("a language that is added says in English what it lacks", () => {
  addWords("de", { title: "Benachrichtigungen" });
  expect(wordsFor("de-AT")).toMatchObject({ title: "Benachrichtigungen", markAllRead: "Mark all read" });
});

afterEach(() => vi.unstubAllGlobals());

it("a language may be added, and asked for, as systems write it", () => {
  addWords("pt_BR.UTF-8", { title: "Notificações" });
  expect(wordsFor("pt-BR").title).toBe("Notificações");
  expect(wordsFor("pt-PT").title).toBe("Notifications");
  expect(wordsFor("pt-BR-x-ours").title).toBe("Notificações");
});

it("what is no language is reported and not added", () => {
  const reported = vi.fn();
  vi.stubGlobal("reportError", reported);
  addWords("not a language!", { title: "?" });
  expect(reported).toHaveBeenCalledOnce();
});

it("words of another form are said in English, and a function that throws is reported once", () => {
  const reported = vi.fn();
  vi.stubGlobal("reportError", reported);
  const broken = (): string => {
    throw new Error("of the page's own");
  };
  const odd = {
    title: 7,
    unread: "ungelesen",
    bell: broken,
    status: { online: "Da" },
    views: null,
    empty: ["a", "b"],
    problems: { no_scope: "x" },
  };
  addWords("nl", odd as never);
  const words = wordsFor("nl");
  expect([words.title, words.unread(3), words.views.all]).toEqual(["Notifications", "3 unread", "All"]);
  expect(words.empty).toEqual(wordsFor("en").empty);
  expect([words.status.online, words.status.offline]).toEqual(["Da", "Offline; showing what was here"]);
  expect([words.bell(2), words.bell(0)]).toEqual(["Notifications, 2 new", "Notifications"]);
  expect(reported).toHaveBeenCalledOnce();
  expect(problemText(words, new BelfryError("no_scope", "Said.")).what).toBe("Said.");
});

it("a problem is said in each language, by the library's own words where it has none", () => {
  const problem = new BelfryError("no_scope", "The token does not allow this.");
  expect(problemText(wordsFor("en"), problem).what).toBe("The token does not allow this.");
  expect(problemText(wordsFor("zh"), problem).what).toBe("令牌没有权限。");
});
