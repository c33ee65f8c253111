/** A sound, and the browser's own notifications: only for those who chose them, by a click, on this device. */

import type { Item } from "../client/index.ts";

export type Alert = "sound" | "desktop";

const KEPT = (alert: Alert): string => `belfry-${alert}`;
const QUIET_MS = 1_000; // at least between two rings
const NOTES = [880, 1318.5]; // hertz: two strokes of a small bell

export class Alerts {
  #audio: AudioContext | null = null;
  #rang = Number.NEGATIVE_INFINITY;

  isOn(alert: Alert): boolean {
    if (alert === "desktop" && !this.isAllowed) return false;
    try {
      return localStorage.getItem(KEPT(alert)) === "on";
    } catch {
      return false; // a page may be refused its storage
    }
  }

  get canNotify(): boolean {
    return "Notification" in globalThis;
  }

  get isAllowed(): boolean {
    return this.canNotify && Notification.permission === "granted";
  }

  /** Call it from a click. False where the browser does not allow it. */
  async turn(alert: Alert, on: boolean): Promise<boolean> {
    if (alert === "desktop" && on && (await Notification.requestPermission()) !== "granted") return false;
    try {
      localStorage.setItem(KEPT(alert), on ? "on" : "off");
    } catch {
      // it holds for as long as the page is open, then
    }
    if (alert === "sound" && on) this.#ring();
    return true;
  }

  /** `opened` is called when the browser's notification is clicked. */
  tell(items: readonly Item[], opened: (item: Item) => void): void {
    if (this.isOn("sound")) this.#ring();
    if (!this.isOn("desktop") || document.visibilityState === "visible") return;
    for (const item of items.slice(-3)) {
      const shown = new Notification(item.title, { body: item.body ?? "", tag: item.id });
      shown.onclick = () => {
        focus();
        opened(item);
      };
    }
  }

  #ring(): void {
    const now = performance.now();
    if (now - this.#rang < QUIET_MS) return;
    this.#rang = now;
    this.#audio ??= new AudioContext();
    const { currentTime, destination } = this.#audio;
    NOTES.forEach((frequency, index) => {
      const tone = new OscillatorNode(this.#audio as AudioContext, { frequency });
      const volume = new GainNode(this.#audio as AudioContext, { gain: 0.08 });
      const start = currentTime + index * 0.12;
      volume.gain.setValueAtTime(0.08, start);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.5);
      tone.connect(volume).connect(destination);
      tone.start(start);
      tone.stop(start + 0.5);
    });
  }
}
