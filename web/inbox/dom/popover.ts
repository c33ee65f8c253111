/** Positions a popover at the button that opens it. */

const MARGIN = 8; // pixels to the edges of the window

export interface Position {
  readonly left: number;
  readonly top: number;
  readonly height: number;
}

/** Below the button and aligned with its end, or above it if there is more room; always inside the window. */
export function popoverPosition(button: HTMLElement, width: number, height: number, gap: number): Position {
  const rect = button.getBoundingClientRect();
  const rightToLeft = getComputedStyle(button).direction === "rtl";
  const left = rightToLeft ? rect.left : rect.right - width;
  const below = innerHeight - rect.bottom - gap - MARGIN;
  const above = rect.top - gap - MARGIN;
  const isBelow = below >= Math.min(height, above);
  const fitting = Math.min(height, isBelow ? below : above);
  return {
    left: Math.max(MARGIN, Math.min(left, innerWidth - width - MARGIN)),
    top: isBelow ? rect.bottom + gap : rect.top - gap - fitting,
    height: fitting,
  };
}
