//! Waits for a condition by looking again, never by sleeping for as long as it might take.

import { loadavg } from 'node:os';

export const LINK_BUDGET_MS = 30_000;
const LOOK_EVERY_MS = 200;

/** The first truthy value of `look`; throws what was last seen, with the machine's load, when the time is up. */
export async function eventually(what, look, budgetMs = LINK_BUDGET_MS) {
  const began = Date.now();
  let last;
  while (Date.now() - began < budgetMs) {
    try {
      const { ok, seen } = await look();
      if (ok) return seen;
      last = JSON.stringify(seen);
    } catch (error) {
      last = String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new Error(`not within ${budgetMs} ms: ${what}; last seen: ${last}; load average ${loadavg().map((each) => each.toFixed(2)).join(' ')}`);
}
