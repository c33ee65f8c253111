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
  const answer = await fetch("/config.json", { cache: "no-store" });
  if (!answer.ok) throw new Error(`/config.json answered ${answer.status}`);
  return answer.json();
}

open().catch((error) => {
  console.error(error);
  const notice = document.querySelector("#page-problem");
  notice.textContent = "Belfry cannot be reached. Is it running? Then reload this page.";
  notice.hidden = false;
});
