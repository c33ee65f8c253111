/** A sound, and the browser's own notifications: only for those who chose them, by a click, on this device. */

import { attempt, isVisible, store, stored } from "../../client/browser.ts";
import type { Item } from "../../client/index.ts";

export type Alert = "sound" | "desktop";

const KEPT = (alert: Alert): string => `belfry-${alert}`;
const QUIET_MS = 1_000; // at least between two rings
const NOTES = [880, 1318.5]; // hertz: two strokes of a small bell

export class Alerts {
  #audio: AudioContext | null = null;
  #rang = Number.NEGATIVE_INFINITY;
  #shows = true; // Chromium on Android has notifications, and throws when a page makes one

  isOn(alert: Alert): boolean {
    return (alert !== "desktop" || this.isAllowed) && stored(KEPT(alert)) === "on";
  }

  get canNotify(): boolean {
    return this.#shows && permission() !== undefined;
  }

  get isAllowed(): boolean {
    return this.#shows && permission() === "granted";
  }

  /** Call it from a click. False where the browser does not allow it. */
  async turn(alert: Alert, on: boolean): Promise<boolean> {
    if (alert === "desktop" && on && !(await isGranted())) return false;
    store(KEPT(alert), on ? "on" : "off");
    if (alert === "sound" && on) this.#ring();
    return true;
  }

  /** `opened` is called when the browser's notification is clicked. */
  tell(items: readonly Item[], opened: (item: Item) => void): void {
    if (this.isOn("sound")) this.#ring();
    if (!this.isOn("desktop") || isVisible()) return;
    for (const item of items.slice(-3)) {
      const shown = attempt(() => new Notification(item.title, { body: item.body ?? "", tag: item.id }));
      if (!shown) {
        this.#shows = false;
        return;
      }
      shown.onclick = () => {
        focus();
        opened(item);
      };
    }
  }

  /** Not heard where the browser has no sound to give. */
  #ring(): void {
    const now = performance.now();
    if (now - this.#rang < QUIET_MS) return;
    this.#rang = now;
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

/** Undefined where the browser has no notifications, or does not say. */
function permission(): NotificationPermission | undefined {
  return attempt(() => Notification.permission);
}

/** Ask for it, where that was not done yet. */
async function isGranted(): Promise<boolean> {
  await Promise.resolve(attempt(() => Notification.requestPermission())).catch(() => {});
  return permission() === "granted";
}
