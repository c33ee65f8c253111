/** Language tags as pages and operating systems write them, normalized for `Intl`, which throws if a tag is malformed. */

import { attempt } from "../../client/browser.ts";

/** A tag such as `zh_CN.UTF-8` or `en-US@posix` in canonical form (`zh-CN`, `en-US`); undefined if it is malformed. */
export function languageTag(text: string | null | undefined): string | undefined {
  const tag = String(text ?? "")
    .replace(/[.@].*$/s, "") // an encoding or a modifier, as in POSIX
    .trim()
    .replaceAll("_", "-");
  return attempt(() => Intl.getCanonicalLocales(tag)[0]);
}

/** The first text that is a language tag, else English. */
export function firstLanguage(...texts: readonly (string | null | undefined)[]): string {
  for (const text of texts) {
    const tag = languageTag(text);
    if (tag) return tag;
  }
  return "en";
}
