/** How an item becomes elements. Everything is set as text: nothing that others wrote is ever read as HTML. */

export function copyOf(selector) {
  return document.querySelector(selector).content.firstElementChild.cloneNode(true);
}

export function drawItem(row, item) {
  const part = (name) => row.querySelector(`[data-part=${name}]`);
  row.classList.toggle("unread", !item.read_at);
  drawFace(part("face"), item.actor ?? item.kind);
  setText(part("title"), item.title);
  setText(part("body"), item.body ?? "");
  part("body").hidden = !item.body;
  setText(part("kind"), item.kind);
  setText(part("actor"), item.actor ?? "");
  setText(part("time"), momentInWords(item.created_at));
  part("time").dateTime = item.created_at;
  part("marker").hidden = Boolean(item.read_at);
  setText(row.querySelector("[data-do=read]"), item.read_at ? "Mark unread" : "Mark read");
}

export function drawFace(place, name) {
  setText(place, [...name.trim()][0]?.toUpperCase() ?? "?");
  place.dataset.hue = [...name].reduce((sum, character) => sum + character.codePointAt(0), 0) % 6;
}

/** A screen reader announces a text that is set again, so it is set only when it differs. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function momentInWords(timestamp) {
  const moment = new Date(timestamp);
  const today = moment.toDateString() === new Date().toDateString();
  return today ? moment.toLocaleTimeString() : moment.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
