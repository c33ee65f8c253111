/** The page: two panes, each one person, who may sign in by the address: `#alice=<token>&bob=<token>`. */

import { Pane } from "./pane.js";

const KEPT = "belfry-tokens"; // in this tab's own storage, so that a reload keeps who was signed in

async function open() {
  const config = await loadConfig();
  const place = document.querySelector("#panes");
  const panes = [new Pane(config, changed), new Pane(config, changed)];
  place.append(...panes.map((pane) => pane.element));

  function changed() {
    sessionStorage.setItem(KEPT, JSON.stringify(panes.map((pane) => pane.token)));
    panes.forEach((pane, index) => pane.suggest(panes[1 - index].sub));
  }

  const signIn = (tokens) => tokens.forEach((token, index) => token && panes[index].signIn(token));
  signIn(tokensInAddress() ?? JSON.parse(sessionStorage.getItem(KEPT)) ?? []);
  window.addEventListener("hashchange", () => signIn(tokensInAddress() ?? []));
  document.addEventListener("visibilitychange", () => panes.forEach((pane) => pane.lookAround()));
}

/** The tokens of the address's fragment, which no server is sent; they are gone from the address bar afterwards. */
function tokensInAddress() {
  const tokens = [...new URLSearchParams(location.hash.slice(1)).values()].filter(Boolean).slice(0, 2);
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return tokens.length ? tokens : null;
}

async function loadConfig() {
  if (!globalThis.io) throw new Error("The server lacks socket.io-client. Run make setup there, then reload this page.");
  const answer = await fetch("/config.json", { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) throw new Error("Belfry cannot be reached. Is it running? Then reload this page.");
  return answer.json();
}

open().catch((error) => {
  const notice = document.querySelector("#page-problem");
  notice.textContent = error.message;
  notice.hidden = false;
  throw error;
});
