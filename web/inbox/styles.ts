/** How it looks: one sheet for all inboxes of a page. Not a `<style>`: a strict policy lets no page have one. */

import base from "./styles/base.css";
import bell from "./styles/bell.css";
import floating from "./styles/floating.css";
import items from "./styles/items.css";
import panel from "./styles/panel.css";
import states from "./styles/states.css";

let sheet: CSSStyleSheet | null = null;

export function styles(): CSSStyleSheet {
  if (sheet) return sheet;
  sheet = new CSSStyleSheet();
  sheet.replaceSync(base + bell + panel + items + states + floating);
  return sheet;
}
