/** A scene that the people on the page play by themselves, with what they write and the devices they have. */

import type { Pane } from "./pane.ts";

const READING_MS = 2_200; // for a caption

interface Moment {
  readonly says: string;
  /** Who acts, and is shown to. */
  readonly who: Pane;
  readonly acts: () => void | Promise<void>;
}

/** None where there are not two people. */
export function momentsOf(cast: readonly Pane[]): Moment[] {
  const [alice, bob, carol = alice] = cast;
  if (!alice || !bob || !carol) return [];
  const [one, two, three] = [alice.sub, bob.sub, carol.sub];
  return [
    { says: `${three} follows ${one}.`, who: carol, acts: () => carol.follow(one) },
    {
      says: `${one} writes to ${two}: it is on laptop and phone at once.`,
      who: alice,
      acts: () => alice.write(two, "Are you coming on Thursday?"),
    },
    { says: `${two}'s laptop goes offline …`, who: bob, acts: () => bob.takeLaptop("away") },
    {
      says: `… and ${three} writes to ${two} all the same. The phone has it, the laptop shows what it had.`,
      who: carol,
      acts: () => carol.write(two, "The draft is ready. Have a look?"),
    },
    {
      says: `${two} marks all as read on the laptop, offline. That waits, too.`,
      who: bob,
      acts: () => bob.readAll(),
    },
    {
      says: `The laptop is back: it catches up, in order. What ${two} read is read on the phone; what came since is not.`,
      who: bob,
      acts: () => bob.takeLaptop("back"),
    },
  ];
}

/** Play them one after another; `caption` shows what happens. Rejects with the `BelfryError` of what fails. */
export async function play(moments: readonly Moment[], caption: (text: string) => void): Promise<void> {
  for (const { says, who, acts } of moments) {
    caption(says);
    who.element.classList.add("acts");
    bringIntoView(who.element);
    try {
      await acts();
      await new Promise((resolve) => setTimeout(resolve, READING_MS));
    } finally {
      who.element.classList.remove("acts");
    }
  }
}

/** Where the people stand in a row that is wider than the window; the page itself stays where it is. */
function bringIntoView(element: HTMLElement): void {
  const row = element.parentElement;
  const first = row?.firstElementChild as HTMLElement | null;
  row?.scrollTo({ left: element.offsetLeft - (first?.offsetLeft ?? 0), behavior: "smooth" });
}
