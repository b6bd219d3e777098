//! Who is in which slot, as the newest `layout` says. Pure.

import type { Layout, Participant, SlotPool, Source } from './messages.js';

export interface SlotKey {
  pool: SlotPool;
  index: number;
}

export function slotName(slot: SlotKey): string {
  return `${slot.pool}-${slot.index}`;
}

export interface LayoutState {
  /** -1 before the first layout. */
  readonly revision: number;
  readonly publishers: ReadonlyMap<string, number>;
  readonly participants: ReadonlyMap<number, Participant>;
}

export const EMPTY_LAYOUT: LayoutState = { revision: -1, publishers: new Map(), participants: new Map() };

/** The state after a layout; the same object when the layout is not newer than what is known. */
export function applyLayout(state: LayoutState, layout: Layout): LayoutState {
  if (layout.revision <= state.revision) return state;
  return {
    revision: layout.revision,
    publishers: new Map(layout.slots.map((slot) => [slotName(slot), slot.publisher])),
    participants: new Map(layout.participants.map((each) => [each.participant, each])),
  };
}

/** The person in a slot, or `undefined` when it is empty or the layout does not name its publisher. */
export function personInSlot(state: LayoutState, slot: SlotKey): Participant | undefined {
  const publisher = state.publishers.get(slotName(slot));
  return publisher === undefined ? undefined : state.participants.get(publisher);
}

export function pictureSource(pool: SlotPool): Source {
  return pool === 'camera' ? 'camera' : 'screen';
}

export function soundSource(pool: SlotPool): Source {
  return pool === 'camera' ? 'microphone' : 'screen_audio';
}
