/** Creates elements without parsing HTML: text from a notification stays text. */

type Attributes = Readonly<Record<string, string | boolean | EventListener>>;

/** Create an element. An attribute whose value is a function is an event listener; true gives an empty value. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** A screen reader announces a text that is set again: set it only if it differs. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string | boolean): void {
  if (value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
}

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  bell: "M18 8.5a6 6 0 0 0-12 0c0 6.5-2.5 8-2.5 8h17S18 15 18 8.5M13.7 20a2 2 0 0 1-3.4 0",
  follow: "M15.5 20v-1.5a4 4 0 0 0-4-4h-5a4 4 0 0 0-4 4V20M9 10.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M19 8v6M16 11h6",
  message: "M20.5 12a7.5 7.5 0 0 1-7.5 7.5H3.5l2-3.6A7.5 7.5 0 1 1 20.5 12Z",
  order: "M12 2.8 4 7v10l8 4.2 8-4.2V7l-8-4.2ZM4 7l8 4.2L20 7M12 11.2v10",
  announcement: "M3.5 10v4l12 5V5l-12 5ZM15.5 9a3 3 0 0 1 0 6M7 15.5V19h3v-2.2",
  alert: "M12 3.5 2.5 20h19L12 3.5ZM12 10v4.5M12 17.4v.1",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  check: "m3 12.5 5 5 9-11M12.5 17l.5.5 8-10",
  close: "m6 6 12 12M18 6 6 18",
} as const;

export type IconName = keyof typeof PATHS;

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  for (const [attribute, value] of [
    ["viewBox", "0 0 24 24"],
    ["aria-hidden", "true"],
    ["class", `icon icon-${name}`],
  ] as const)
    svg.setAttribute(attribute, value);
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** The icon for a kind such as `order.shipped`, by its first word. */
export function iconOf(kind: string): IconName {
  const [word = ""] = kind.split(/[.:_-]/);
  return Object.hasOwn(KINDS, word) ? (KINDS[word] ?? "bell") : "bell";
}

const KINDS: Readonly<Record<string, IconName>> = {
  follow: "follow",
  message: "message",
  comment: "message",
  mention: "message",
  order: "order",
  shipment: "order",
  announcement: "announcement",
  offer: "announcement",
  news: "announcement",
  alert: "alert",
  warning: "alert",
  security: "alert",
};

// A browser may run these, or show content that the producer wrote. All other schemes open an app.
const UNSAFE = new Set(["about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source"]);

/**
 * The URL, or null if its scheme is unsafe. The server has checked that the scheme is http, https, or one that the
 * deployment allows (URL_SCHEMES).
 */
export function safeUrl(url: string | null): string | null {
  if (!url) return null;
  try {
    const { protocol } = new URL(url, document.baseURI);
    return UNSAFE.has(protocol.slice(0, -1)) ? null : url;
  } catch {
    return null;
  }
}
