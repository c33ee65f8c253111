/** One person on the page: sign-in, messages, follows, and their devices. */

import { setText } from "../inbox/dom/dom.ts";
import { BelfryError, claimsOf, type Inbox } from "../inbox/index.ts";
import { initial } from "../inbox/list/row.ts";
import { Device, type Servers } from "./device.ts";
import type { Timelines } from "./timeline.ts";

export class Pane {
  readonly element: HTMLElement;
  /** The token of the person; null while nobody is signed in. */
  token: string | null = null;
  sub = "";
  scopes: readonly string[] = [];
  readonly #servers: Servers;
  readonly #timelines: Timelines;
  readonly #onChange: () => void;
  #laptop: Device | null = null;
  #phone: Device | null = null;

  /** `onChange` is called after a sign-in or sign-out. */
  constructor(servers: Servers, timelines: Timelines, onChange: () => void) {
    this.#servers = servers;
    this.#timelines = timelines;
    this.#onChange = onChange;
    const template = document.querySelector<HTMLTemplateElement>("#pane");
    this.element = template?.content.firstElementChild?.cloneNode(true) as HTMLElement;
    this.#listen();
  }

  /** The inbox of the person's laptop. */
  get inbox(): Inbox | null {
    return this.#laptop?.inbox ?? null;
  }

  signIn(token: string): void {
    this.signOut();
    void this.#attempt("sign-in-problem", async () => {
      const { sub, scopes } = claimsOf(token);
      Object.assign(this, { sub, scopes, token });
      this.#phone = this.#device("Phone");
      this.#laptop = this.#device("Laptop");
      this.#draw();
      this.#onChange();
    });
  }

  signOut(): void {
    for (const device of [this.#phone, this.#laptop]) device?.close();
    this.#phone = this.#laptop = null;
    this.token = null;
    this.sub = "";
    this.scopes = [];
    for (const form of this.element.querySelectorAll("form")) form.reset();
    this.#showDone("");
    this.#showError("problem", null);
    this.#onChange();
    this.#draw();
  }

  /** Fill in the recipient, unless the user has named another. */
  suggest(name: string): void {
    const to = this.#field("to");
    if (name && ["", to.dataset.suggested].includes(to.value)) to.value = to.dataset.suggested = name;
  }

  async write(to: string, text: string): Promise<void> {
    await this.#publish(`${this.sub} → ${to}: ${text}`, "/v1/messages", { to, text });
    this.#showDone(`Sent to ${to}.`);
  }

  async follow(target: string): Promise<void> {
    await this.#publish(`${this.sub} follows ${target}`, "/v1/follows", { target });
    this.#showDone(`You follow ${target}.`);
  }

  takeLaptop(where: "away" | "back"): void {
    if (this.#laptop) this.#laptop.away = where === "away";
  }

  /** On the laptop. If it is offline, this waits. */
  readAll(): void {
    void this.inbox?.markAllRead();
  }

  #listen(): void {
    this.#onSubmit("sign-in", () => {
      this.signIn(this.#field("token").value.trim());
      if (this.token) this.#field("text").focus();
    });
    this.#onSubmit("message", () => void this.#attempt("problem", () => this.#send()));
    const text = this.#field("text");
    text.addEventListener("keydown", (event) => {
      if (!(event instanceof KeyboardEvent) || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      text.form?.requestSubmit();
    });
    this.#onClick("follow", () => void this.#attempt("problem", () => this.follow(this.#field("to").value)));
    this.#onClick("sign-out", () => this.signOut());
  }

  /** Empty the box at once: the user can write on, and a second Enter sends nothing twice. */
  async #send(): Promise<void> {
    const to = this.#field("to").value;
    const box = this.#field("text");
    const text = box.value;
    box.value = "";
    this.#showDone("Sending…");
    try {
      await this.write(to, text);
    } catch (error) {
      this.#showDone("");
      box.value ||= text;
      throw error;
    }
  }

  /** Resolves when the API has accepted the notification; its timeline is shown from then on. */
  #publish(what: string, path: string, body: object): Promise<void> {
    const inbox = this.inbox;
    if (!inbox) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const publish = async (): Promise<string[]> => {
        const { id } = (await inbox.request("POST", path, body)) as { id: string };
        resolve();
        return [id];
      };
      this.#timelines.follow(what, inbox, this.scopes, publish).catch(reject);
    });
  }

  #device(kind: "Laptop" | "Phone"): Device {
    const device = new Device(kind, this.#servers, this.token ?? "");
    this.#part("devices").append(device.element);
    device.inbox.onArrival((items) => this.#timelines.arrived(items));
    device.inbox.subscribe(({ items, expiresAt }) => {
      this.#timelines.updated(items);
      setText(this.#part("expiry"), expiresAt ? `The token ends at ${new Date(expiresAt).toLocaleTimeString()}.` : "");
      this.#drawForms();
    });
    return device;
  }

  /** Run an action. If it fails, show the error and mark the field. */
  async #attempt(place: "problem" | "sign-in-problem", action: () => Promise<void>): Promise<void> {
    this.#showError(place, null);
    const { token } = this;
    try {
      await action();
    } catch (error) {
      if (!(error instanceof BelfryError)) throw error;
      if (place === "problem" && token !== this.token) return; // another person has signed in meanwhile
      this.#showError(place, error);
    }
  }

  #showError(place: "problem" | "sign-in-problem", error: BelfryError | null): void {
    for (const input of this.element.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    const text = error && (error.code === "refused" ? error.message : `${error.message} ${error.advice}`);
    setText(this.#part(place), text ?? "");
    this.#part(place).hidden = !error;
    const field = error?.field === "target" ? "to" : error?.field;
    const wrong = field ? this.element.querySelector<HTMLElement>(`[name="${field}"]`) : null;
    wrong?.setAttribute("aria-invalid", "true");
    wrong?.focus();
  }

  #showDone(text: string): void {
    setText(this.#part("done"), text);
  }

  #draw(): void {
    const here = this.token !== null;
    this.#form("sign-in").hidden = here;
    this.#part("desk").hidden = !here;
    setText(this.#part("name"), this.sub);
    setText(this.#part("face"), initial(this.sub));
    this.#drawForms();
  }

  #drawForms(): void {
    const refused = this.inbox?.state.status === "refused";
    for (const button of this.#form("message").querySelectorAll("button")) button.disabled = refused;
  }

  #onSubmit(name: string, act: () => void): void {
    this.#form(name).addEventListener("submit", (event) => {
      event.preventDefault();
      act();
    });
  }

  #onClick(name: string, act: () => void): void {
    this.element.querySelector(`[data-do=${name}]`)?.addEventListener("click", act);
  }

  #form(name: string): HTMLFormElement {
    return this.element.querySelector(`[data-form=${name}]`) as HTMLFormElement;
  }

  #field(name: string): HTMLInputElement {
    return this.element.querySelector(`[name=${name}]`) as HTMLInputElement;
  }

  #part(name: string): HTMLElement {
    return this.element.querySelector(`[data-part=${name}]`) as HTMLElement;
  }
}
