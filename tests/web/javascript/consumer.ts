/** A strict TypeScript consumer of the package. Each `@ts-expect-error` is a mistake that the types must reveal. */

import { BelfryError, connect, type Item, type List, type State, VIEWS } from "belfry-web";
import { addWords, BelfryInbox } from "belfry-web/inbox";

const inbox = connect({ api: "https://belfry.example.com", getToken: async () => "eyJ…" });
const stop: () => void = inbox.subscribe(({ items, unread, status, waiting, problem }: State) => {
  const titles: string[] = items.map((item: Item) => item.title);
  document.title = `${unread + waiting} ${status} ${titles.join()} ${problem?.advice ?? ""}`;
  // @ts-expect-error an item is not to be changed
  items[0].title = "mine";
});
inbox.onArrival((items) => items.forEach(({ actor, data }) => console.log(actor?.length, data?.["order"])));
inbox.markRead(1, 2).catch((error: unknown) => error instanceof BelfryError && error.field?.length);
const lists: List[] = VIEWS.map((view) => inbox.list(view));
console.log(lists, stop);

const element = document.createElement("belfry-inbox");
element.inbox = inbox;
element.renderItem = ({ title }) => Object.assign(document.createElement("b"), { textContent: title });
console.log(element instanceof BelfryInbox, element.isOpen);
addWords("de", { title: "Benachrichtigungen", unread: (count) => `${count} ungelesen` });

// @ts-expect-error a seq is a number
inbox.markRead("1");
// @ts-expect-error there is no such option
connect({ api: "", tokn: "" });
// @ts-expect-error there is no such status
console.log(inbox.state.status === "onlien");
