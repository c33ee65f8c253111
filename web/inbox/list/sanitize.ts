/** Items as they can be shown whatever is in them: a server of another version, or a proxy, may have changed them. */

import type { Item } from "../../client/index.ts";

/** The item with each text that is no text left out; of an item that is null nothing is left. */
export function legible(item: Item): Item {
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
