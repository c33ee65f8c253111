/** The style sheet, shared by all inboxes of a page. It is no `<style>` element: a strict CSP forbids those. */

import base from "./styles/base.css";
import bell from "./styles/bell.css";
import floating from "./styles/floating.css";
import items from "./styles/items.css";
import panel from "./styles/panel.css";
import phone from "./styles/phone.css";
import states from "./styles/states.css";

let sheet: CSSStyleSheet | null = null;

export function styles(): CSSStyleSheet {
  if (sheet) return sheet;
  sheet = new CSSStyleSheet();
  sheet.replaceSync(base + bell + panel + items + states + floating + phone);
  return sheet;
}
