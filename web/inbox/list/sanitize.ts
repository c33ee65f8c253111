/** Makes an item safe to draw: a server of another version, or a proxy, may send fields of other types. */

import type { Item } from "../../client/index.ts";

/** The item with each text field that is not a string emptied. The item may be null. */
export function sanitized(item: Item): Item {
  const { title, body, url, actor, kind, severity, created_at } = item ?? ({} as Partial<Item>);
  return {
    ...item,
    title: text(title) ?? "–",
    body: text(body),
    url: text(url),
    actor: text(actor),
    kind: text(kind) ?? "",
    severity: text(severity) ?? "none",
    created_at: text(created_at) ?? "",
  };
}

function text<Text extends string | null>(value: Text): Text | null {
  return typeof value === "string" ? value : null;
}
