/** A sound and desktop notifications. Both are off until the user turns them on, on this device. */

import { attempt, isVisible, store, stored } from "../../client/browser.ts";
import type { Item } from "../../client/index.ts";

export type Alert = "sound" | "desktop";

const storageKey = (alert: Alert): string => `belfry-${alert}`;
const RING_INTERVAL = 1_000; // milliseconds at least between two rings
const NOTES = [880, 1318.5]; // hertz

export class Alerts {
  #audio: AudioContext | null = null;
  #rangAt = Number.NEGATIVE_INFINITY;
  #works = true; // Chromium on Android has the constructor, which throws

  isOn(alert: Alert): boolean {
    return (alert !== "desktop" || this.isAllowed) && stored(storageKey(alert)) === "on";
  }

  get canNotify(): boolean {
    return this.#works && permission() !== undefined;
  }

  get isAllowed(): boolean {
    return this.#works && permission() === "granted";
  }

  /** Call it from a click handler. False if the browser does not allow it. */
  async turn(alert: Alert, on: boolean): Promise<boolean> {
    if (alert === "desktop" && on && !(await requestPermission())) return false;
    store(storageKey(alert), on ? "on" : "off");
    if (alert === "sound" && on) this.#ring();
    return true;
  }

  /** `opened` is called when the user clicks a desktop notification. */
  tell(items: readonly Item[], opened: (item: Item) => void): void {
    if (this.isOn("sound")) this.#ring();
    if (!this.isOn("desktop") || isVisible()) return;
    for (const item of items.slice(-3)) {
      const shown = attempt(() => new Notification(item.title, { body: item.body ?? "", tag: item.id }));
      if (!shown) {
        this.#works = false;
        return;
      }
      shown.onclick = () => {
        focus();
        opened(item);
      };
    }
  }

  /** Silent in a browser without audio. */
  #ring(): void {
    const now = performance.now();
    if (now - this.#rangAt < RING_INTERVAL) return;
    this.#rangAt = now;
    attempt(() => this.#play((this.#audio ??= new AudioContext())));
  }

  #play(audio: AudioContext): void {
    const { currentTime, destination } = audio;
    NOTES.forEach((frequency, index) => {
      const tone = new OscillatorNode(audio, { frequency });
      const volume = new GainNode(audio, { gain: 0.08 });
      const start = currentTime + index * 0.12;
      volume.gain.setValueAtTime(0.08, start);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.5);
      tone.connect(volume).connect(destination);
      tone.start(start);
      tone.stop(start + 0.5);
    });
  }
}

/** Undefined if the browser has no notifications, or does not tell. */
function permission(): NotificationPermission | undefined {
  return attempt(() => Notification.permission);
}

/** Ask the user, if they were not asked yet. */
async function requestPermission(): Promise<boolean> {
  await Promise.resolve(attempt(() => Notification.requestPermission())).catch(() => {});
  return permission() === "granted";
}
