/** The demo page: up to three people side by side. The address may sign them in: `#alice=<token>&bob=<token>`. */

import { attempt } from "../client/browser.ts";
import { h } from "../inbox/dom/dom.ts";
import { BelfryError, type Inbox } from "../inbox/index.ts";
import type { Servers } from "./device.ts";
import { Pane } from "./pane.ts";
import { stepsFor, play } from "./scene.ts";
import { Timelines } from "./timeline.ts";

const STORAGE_KEY = "belfry-tokens"; // in this tab's sessionStorage, so that a reload keeps the sign-ins
const PEOPLE = 3;
const THOUSAND = 1_000;

async function open(): Promise<void> {
  const servers = await findServers();
  const timelines = new Timelines(element("#timelines"), element("#no-timelines"));
  const panes = Array.from({ length: PEOPLE }, () => new Pane(servers, timelines, changed));
  element("#panes").append(...panes.map((pane) => pane.element));
  element("#snippet").textContent = snippet(servers);
  listenToTheCrowd(panes, timelines);
  listenToTheScene(panes);

  function changed(): void {
    attempt(() => sessionStorage.setItem(STORAGE_KEY, JSON.stringify(panes.map((pane) => pane.token))));
    const present = panes.filter((pane) => pane.token !== null);
    const [free] = panes.filter((pane) => pane.token === null);
    for (const pane of panes) pane.element.hidden = pane.token === null && pane !== free;
    for (const [index, pane] of present.entries()) pane.suggest(present[(index + 1) % present.length]?.sub ?? "");
    element("#panes").dataset.people = String(present.length);
    element("#stage").hidden = present.length === 0;
    element("#crowd").hidden = element("#thousand").hidden = publisher(panes) === null;
    element("#play").hidden = element("#caption").hidden = present.length < 2;
    const names = [...new Set(present.map(({ sub }) => sub))];
    element("#people").replaceChildren(...names.map((name) => h("option", { value: name })));
  }

  const signIn = (tokens: readonly (string | null)[]): void => {
    for (const [index, token] of tokens.entries()) if (token) panes[index]?.signIn(token);
  };
  changedAtLeastOnce(changed, () => signIn(tokensInAddress() ?? storedTokens()));
  addEventListener("hashchange", () => signIn(tokensInAddress() ?? []));
}

function changedAtLeastOnce(changed: () => void, signIn: () => void): void {
  signIn();
  changed();
}

/** The first person whose token may publish to everyone. */
function publisher(panes: readonly Pane[]): Pane | null {
  return panes.find((pane) => pane.scopes.includes("notify")) ?? null;
}

function listenToTheCrowd(panes: readonly Pane[], timelines: Timelines): void {
  const form = element("#crowd") as HTMLFormElement;
  const news = element("#news") as HTMLInputElement;
  const tryTo = async (publish: (pane: Pane, inbox: Inbox) => Promise<void>): Promise<void> => {
    const pane = publisher(panes);
    const problem = element("#crowd-problem");
    problem.hidden = true;
    try {
      if (pane?.inbox) await publish(pane, pane.inbox);
    } catch (error) {
      if (!(error instanceof BelfryError)) throw error;
      problem.textContent = `${error.message} ${error.advice}`;
      problem.hidden = false;
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const title = news.value.trim() || "The new season is here";
    news.value = "";
    void tryTo((pane, inbox) =>
      timelines.follow(`to everyone: ${title}`, inbox, pane.scopes, () => announce(inbox, title)),
    );
  });
  element("#thousand").addEventListener("click", () => {
    const recipients = panes.filter(({ token }) => token !== null).map(({ sub }) => sub);
    const what = `1,000 orders for ${recipients.join(", ")}`;
    void tryTo((pane, inbox) =>
      timelines.follow(what, inbox, pane.scopes, () => shipThousand(inbox, recipients), THOUSAND),
    );
  });
}

function listenToTheScene(panes: readonly Pane[]): void {
  const button = element("#play") as HTMLButtonElement;
  const caption = element("#caption");
  const say = (text: string): void => void (caption.textContent = text);
  button.addEventListener("click", async () => {
    button.disabled = true;
    caption.dataset.playing = "";
    try {
      await play(stepsFor(panes.filter(({ token }) => token !== null)), say);
      say("That was the real system: a database, a broker, a socket. Your turn.");
    } catch (error) {
      if (!(error instanceof BelfryError)) throw error;
      say(`${error.message} ${error.advice}`);
    } finally {
      button.disabled = false;
      delete caption.dataset.playing;
    }
  });
}

async function announce(inbox: Inbox, title: string): Promise<string[]> {
  const notification = { everyone: true, kind: "announcement", title, severity: "medium" };
  const { id } = (await inbox.request("POST", "/v1/notifications", notification)) as { id: string };
  return [id];
}

async function shipThousand(inbox: Inbox, recipients: readonly string[]): Promise<string[]> {
  const notifications = Array.from({ length: THOUSAND }, (_, index) => ({
    recipients: [recipients[index % recipients.length]],
    kind: "order.shipped",
    title: `Order ${index + 1} is on its way`,
    url: new URL("docs", document.baseURI).pathname,
  }));
  const answer = await inbox.request("POST", "/v1/notifications/batch", { notifications });
  return (answer as { notifications: { id: string }[] }).notifications.map(({ id }) => id);
}

/** The tokens in the address's fragment, which browsers send to no server. Removes them from the address bar. */
function tokensInAddress(): string[] | null {
  const tokens = [...new URLSearchParams(location.hash.slice(1)).values()].filter(Boolean).slice(0, PEOPLE);
  if (tokens.length === 0) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return tokens;
}

function storedTokens(): (string | null)[] {
  return attempt(() => JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "[]") as (string | null)[]) ?? [];
}

async function findServers(): Promise<Servers> {
  const answer = await fetch("config.json", { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) throw new Error("Belfry cannot be reached. Is it running? Then reload this page.");
  const { push_url: push } = (await answer.json()) as { push_url: string };
  return { api: new URL(".", document.baseURI).href.replace(/\/$/, ""), push };
}

function snippet({ api, push }: Servers): string {
  return `<script type="module" src="${api}/static/belfry-inbox.js"></script>\n\n<belfry-inbox\n  api="${api}"\n  push="${push}"\n  token="…"\n></belfry-inbox>`;
}

function element(selector: string): HTMLElement {
  return document.querySelector(selector) as HTMLElement;
}

open().catch((error: unknown) => {
  const notice = element("#page-problem");
  notice.textContent = error instanceof Error ? error.message : String(error);
  notice.hidden = false;
  throw error;
});
