/** Where something floats that a button opens. */

const MARGIN = 8; // pixels to the edges of the window

export interface Place {
  readonly left: number;
  readonly top: number;
  readonly height: number;
}

/** Below the button and at its end; above it where there is more room; inside the window, lower if need be. */
export function beside(button: HTMLElement, width: number, height: number, gap: number): Place {
  const at = button.getBoundingClientRect();
  const rightToLeft = getComputedStyle(button).direction === "rtl";
  const left = rightToLeft ? at.left : at.right - width;
  const below = innerHeight - at.bottom - gap - MARGIN;
  const above = at.top - gap - MARGIN;
  const goesBelow = below >= Math.min(height, above);
  const fits = Math.min(height, goesBelow ? below : above);
  return {
    left: Math.max(MARGIN, Math.min(left, innerWidth - width - MARGIN)),
    top: goesBelow ? at.bottom + gap : at.top - gap - fits,
    height: fits,
  };
}
