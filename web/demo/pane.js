/** One person on the page: signing in, the inbox, and the forms. All that comes from others is shown as text. */

import { ApiError } from "./api.js";
import { copyOf, drawFace, drawItem, setText } from "./drawing.js";
import { Session } from "./session.js";

const STATUS = {
  connecting: "Connecting…",
  online: "Online",
  offline: "Offline, retrying…",
  away: "Away",
  refused: "Refused",
};

export class Pane {
  /** The token that is signed in with, or null. */
  token = null;

  #config;
  #onChange;
  #session = null;
  #rows = new Map(); // what is on the page, by seq: kept, so that focus stays and only what is new is announced
  #actionProblem = null;

  /** `onChange()` is called when somebody signed in or out. */
  constructor(config, onChange) {
    this.#config = config;
    this.#onChange = onChange;
    this.element = copyOf("#pane");
    this.#listen();
    this.#draw();
  }

  get sub() {
    return this.#session?.sub ?? "";
  }

  signIn(token) {
    this.signOut();
    this.#attempt(async () => {
      this.#session = new Session(this.#config, token, () => this.#draw());
      this.token = token;
      this.#onChange();
    });
  }

  signOut() {
    this.#session?.close();
    this.#session = this.token = null;
    for (const form of this.element.querySelectorAll("form")) form.reset();
    this.#part("done").textContent = "";
    this.#onChange();
    this.#draw();
  }

  /** Whom to write to and to follow, unless something else is there. */
  suggest(name) {
    if (!name) return;
    for (const input of this.element.querySelectorAll("[name=to], [name=target]")) {
      if (["", input.dataset.suggested].includes(input.value)) input.value = input.dataset.suggested = name;
    }
  }

  lookAround() {
    this.#session?.lookAround();
  }

  #listen() {
    this.#onSubmit("sign-in", async (form) => {
      const token = form.elements.token.value.trim();
      this.signIn(token);
      this.element.querySelector("[name=text]").focus();
    });
    this.#onSubmit("message", async ({ elements: { to, text } }) => {
      await this.#send(to.value, text);
    });
    this.#onSubmit("follow", async ({ elements: { target } }) => {
      const person = target.value;
      await this.#session.act((api) => api.follow(person));
      this.#say(`You follow ${person}.`);
    });
    const text = this.element.querySelector("[name=text]");
    text.addEventListener("keydown", (event) => {
      const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing;
      if (sends) (event.preventDefault(), text.form.requestSubmit());
    });
    this.#onClick("sign-out", async () => this.signOut());
    this.#onClick("away-or-back", async () => {
      if (this.#session.status === "away") this.#session.comeBack();
      else this.#session.goAway();
    });
    this.#onClick("read-all", () => this.#session.act((api) => api.markAllRead(this.#session.inbox.version)));
  }

  /** The box is empty at once, so that one can write on and a second Enter sends nothing twice. */
  async #send(to, box) {
    const session = this.#session;
    const text = box.value;
    box.value = "";
    this.#say("Sending…");
    try {
      await session.act((api) => api.sendMessage(to, text));
      this.#say(`Sent to ${to}.`);
    } catch (error) {
      this.#say("");
      if (session === this.#session) box.value ||= text;
      throw error;
    }
  }

  #onSubmit(name, action) {
    const form = this.#form(name);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#attempt(() => action(form), form);
    });
  }

  #onClick(name, action) {
    this.element.querySelector(`[data-do=${name}]`).addEventListener("click", () => this.#attempt(action));
  }

  /** Run what somebody asked for; if it fails, say why, and point at the field. */
  async #attempt(action, form = null) {
    const session = this.#session;
    this.#actionProblem = null;
    for (const input of this.element.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    try {
      await action();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (session !== this.#session) return; // somebody else has signed in meanwhile
      this.#actionProblem = error;
      const wrong = error.field && form?.elements.namedItem(error.field);
      wrong?.setAttribute("aria-invalid", "true");
      wrong?.focus();
    }
    this.#draw();
  }

  #say(text) {
    this.#part("done").textContent = text;
  }

  #draw() {
    const session = this.#session;
    this.element.dataset.status = session?.status ?? "none";
    this.#form("sign-in").hidden = Boolean(session);
    this.#part("person").hidden = this.#part("desk").hidden = !session;
    this.#drawProblem(this.#actionProblem ?? session?.problem);
    if (session) {
      this.#drawPerson(session);
      this.#drawInbox(session.inbox);
    } else {
      this.#drawItems([]);
    }
  }

  #drawProblem(problem) {
    const notice = this.#part("problem");
    setText(notice, problem?.message ?? "");
    notice.hidden = !problem;
  }

  #drawPerson({ sub, status, expiresAt }) {
    const away = status === "away";
    setText(this.#part("name"), sub);
    drawFace(this.#part("face"), sub);
    const ending = expiresAt && `; the token ends at ${new Date(expiresAt).toLocaleTimeString()}`;
    setText(this.#part("status"), STATUS[status] + (ending ?? ""));
    setText(this.element.querySelector("[data-do=away-or-back]"), away ? "Come back" : "Go offline");
    this.element.querySelector("[data-do=away-or-back]").hidden = status === "refused";
    this.#part("desk").disabled = away || status === "refused";
  }

  #drawInbox(inbox) {
    const shown = [...inbox.items.values()].filter((item) => !item.archived_at).sort((a, b) => b.seq - a.seq);
    setText(this.#part("unread"), inbox.unread ? `${inbox.unread} unread` : "");
    this.element.querySelector("[data-do=read-all]").hidden = !inbox.unread;
    this.#part("empty").hidden = inbox.version === null || shown.length > 0;
    this.#drawItems(shown);
  }

  #drawItems(items) {
    const list = this.#part("items");
    const shown = new Set(items.map((item) => item.seq));
    for (const [seq, row] of this.#rows) {
      if (!shown.has(seq)) (row.remove(), this.#rows.delete(seq));
    }
    items.forEach((item, index) => {
      if (!this.#rows.has(item.seq)) this.#rows.set(item.seq, this.#newRow(item.seq));
      const row = this.#rows.get(item.seq);
      drawItem(row, item);
      if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    });
  }

  #newRow(seq) {
    const row = copyOf("#item");
    row.dataset.seq = seq;
    row.querySelector("[data-do=read]").addEventListener("click", () => {
      const unread = !this.#session.inbox.items.get(seq).read_at;
      this.#attempt(() => this.#session.act((api) => api.setRead(seq, unread)));
    });
    return row;
  }

  #form(name) {
    return this.element.querySelector(`[data-form=${name}]`);
  }

  #part(name) {
    return this.element.querySelector(`[data-part=${name}]`);
  }
}
