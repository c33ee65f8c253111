/** The inbox component. Loading this script defines `<belfry-inbox>`. */

import { BelfryInbox } from "./element.ts";

export * from "../client/index.ts";
export { BelfryInbox } from "./element.ts";
export { addWords } from "./i18n/translations.ts";
export type { Words } from "./i18n/words.ts";
export type { RenderItem } from "./list/custom_items.ts";

declare global {
  interface HTMLElementTagNameMap {
    "belfry-inbox": BelfryInbox;
  }
}

if (!customElements.get("belfry-inbox")) customElements.define("belfry-inbox", BelfryInbox);
