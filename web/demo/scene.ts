/** A scripted scene: the people on the page send messages and take devices offline, by themselves. */

import type { Pane } from "./pane.ts";

const CAPTION_MS = 2_200; // time to read a caption

interface Step {
  readonly caption: string;
  /** The person who acts; scrolled into view. */
  readonly pane: Pane;
  readonly run: () => void | Promise<void>;
}

/** Empty for fewer than two people. */
export function stepsFor(cast: readonly Pane[]): Step[] {
  const [alice, bob, carol = alice] = cast;
  if (!alice || !bob || !carol) return [];
  const [one, two, three] = [alice.sub, bob.sub, carol.sub];
  return [
    { caption: `${three} follows ${one}.`, pane: carol, run: () => carol.follow(one) },
    {
      caption: `${one} writes to ${two}: it is on laptop and phone at once.`,
      pane: alice,
      run: () => alice.write(two, "Are you coming on Thursday?"),
    },
    { caption: `${two}'s laptop goes offline …`, pane: bob, run: () => bob.takeLaptop("away") },
    {
      caption: `… and ${three} writes to ${two} all the same. The phone has it, the laptop shows what it had.`,
      pane: carol,
      run: () => carol.write(two, "The draft is ready. Have a look?"),
    },
    {
      caption: `${two} marks all as read on the laptop, offline. That waits, too.`,
      pane: bob,
      run: () => bob.readAll(),
    },
    {
      caption: `The laptop is back: it catches up, in order. What ${two} read is read on the phone; what came since is not.`,
      pane: bob,
      run: () => bob.takeLaptop("back"),
    },
  ];
}

/** Play the steps one after another; `show` displays each caption. Rejects with a `BelfryError` if a step fails. */
export async function play(steps: readonly Step[], show: (text: string) => void): Promise<void> {
  for (const { caption, pane, run } of steps) {
    show(caption);
    pane.element.classList.add("acts");
    scrollIntoRow(pane.element);
    try {
      await run();
      await new Promise((resolve) => setTimeout(resolve, CAPTION_MS));
    } finally {
      pane.element.classList.remove("acts");
    }
  }
}

/** Scroll the row of people, if it is wider than the window, but not the page. */
function scrollIntoRow(element: HTMLElement): void {
  const row = element.parentElement;
  const first = row?.firstElementChild as HTMLElement | null;
  row?.scrollTo({ left: element.offsetLeft - (first?.offsetLeft ?? 0), behavior: "smooth" });
}
