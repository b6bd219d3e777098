//! How long to wait before the next attempt to reconnect.

const FIRST_MS = 300;
const LONGEST_MS = 10_000;

/** Attempts after which the widget gives up: about two minutes. */
export const ATTEMPTS_MAX = 16;

/**
 * Doubles up to ten seconds, of which the half is drawn by lot, so that a restarted node is not met by everyone at once.
 * `attempt` counts from 0; `random` is in [0, 1).
 */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 20));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
