/** A typed event emitter. */

type Listener<Payload> = (payload: Payload) => void;

/** `Events` maps each event's name to the type of its payload; `void` for an event without one. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Listener<never>[]>();

  /** Listeners of an event are called synchronously, in the order in which they were added. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): void {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  emit<Name extends keyof Events>(name: Name, ...payload: Events[Name] extends void ? [] : [Events[Name]]): void {
    for (const listener of this.#listeners.get(name) ?? []) listener(payload[0] as never);
  }
}
