/** Finds the texts for a language, and lets a page add a language. */

import { attempt, report } from "../../client/browser.ts";
import type { BelfryError } from "../../client/index.ts";
import { chinese } from "./chinese.ts";
import { english } from "./english.ts";
import { firstLanguage, languageTag } from "./language.ts";
import type { Words } from "./words.ts";

const LANGUAGES = new Map<string, Words>([
  ["en", english],
  ["zh", chinese],
]);

/** Add a language. A text that `words` lacks, or has in another form, is shown in English. */
export function addWords(language: string, words: Partial<Words>): void {
  const tag = languageTag(language);
  if (tag) LANGUAGES.set(tag.toLowerCase(), withFallback(english, words));
  else report(new RangeError(`addWords: “${language}” is not a language such as de or pt-BR.`));
}

/** The texts for a language tag such as `zh-CN`, or for the longest prefix of it that is known; else in English. */
export function wordsFor(language: string): Words {
  return find(language) ?? english;
}

/** The language if there are texts for it, else English: times are formatted in the language of the texts. */
export function supportedLanguage(language: string): string {
  return find(language) ? language : "en";
}

/** The language of an element: its own, the page's around it, or the browser's, if there are texts for it. */
export function languageFor(element: HTMLElement): string {
  const page = element.parentElement?.closest<HTMLElement>("[lang]")?.lang;
  const browser = attempt(() => navigator.language);
  return supportedLanguage(firstLanguage(element.lang, page, browser));
}

/** What is wrong, and what to do about it. */
export function problemText(words: Words, problem: BelfryError): { what: string; advice: string } {
  const translated: unknown = words.problems[problem.code];
  const [what, advice] = Array.isArray(translated) ? translated : [problem.message, problem.advice];
  return { what: String(what), advice: String(advice ?? "") };
}

function find(language: string): Words | undefined {
  const parts = language.toLowerCase().split("-");
  for (; parts.length > 0; parts.pop()) {
    const words = LANGUAGES.get(parts.join("-"));
    if (words) return words;
  }
  return undefined;
}

/** `value` if it has the type of `fallback`, with the properties that it lacks; else `fallback`. */
function withFallback<Value>(fallback: Value, value: unknown): Value {
  if (typeof value !== typeof fallback || value === null || Array.isArray(value) !== Array.isArray(fallback))
    return fallback;
  if (typeof fallback === "function") return safeText(fallback as unknown as Text, value as Text) as Value;
  if (typeof fallback !== "object" || fallback === null || Array.isArray(fallback)) return value as Value;
  const merged: Record<string, unknown> = { ...(value as object) };
  for (const [name, part] of Object.entries(fallback)) merged[name] = withFallback(part, merged[name]);
  return merged as Value;
}

type Text = (...values: never[]) => string;

/** A page's function; if it throws, the error is reported once, and `fallback` is called instead. */
function safeText(fallback: Text, text: Text): Text {
  let failed = false;
  return (...values) => {
    try {
      return String(text(...values));
    } catch (error) {
      if (!failed) report(error);
      failed = true;
      return fallback(...values);
    }
  };
}
