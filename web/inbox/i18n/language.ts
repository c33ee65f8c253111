/** Language tags as pages and systems write them, made fit for `Intl`, which throws for what is not BCP 47. */

import { attempt } from "../../client/browser.ts";

/** `zh_CN.UTF-8`, `en-US@posix` and the like in canonical form (`zh-CN`, `en-US`); undefined for what is no tag. */
export function languageTag(text: string | null | undefined): string | undefined {
  const tag = String(text ?? "")
    .replace(/[.@].*$/s, "") // an encoding or a modifier of POSIX
    .trim()
    .replaceAll("_", "-");
  return attempt(() => Intl.getCanonicalLocales(tag)[0]);
}

/** The first of these that is a language tag, else English. */
export function languageOf(...texts: readonly (string | null | undefined)[]): string {
  for (const text of texts) {
    const tag = languageTag(text);
    if (tag) return tag;
  }
  return "en";
}
