//! `/embed/{tenant}`: the visit alone, for a frame in the clinic's portal, which hands over the ticket.
//!
//! What stands after `#` names the visit within the tab, so that a reload goes back into it. It is never sent to a server.

import type { ConsultRoomElement } from '../src/consult-room.js';
import { byId } from './page.js';
import { PortalLine, type Word } from './portal-line.js';

/** Those that the page was served with, and its own. */
function portals(): string[] {
  const listed = document.querySelector<HTMLMetaElement>('meta[name=consilium-portals]')?.content ?? '';
  return [location.origin, ...listed.split(' ').filter((origin) => origin !== '')];
}

function obey(room: ConsultRoomElement, word: Word): void {
  if (word.kind === 'leave') return room.leave();
  // A visit that is going on goes on: a portal that hands over a ticket twice must not end it.
  if (room.phase === 'idle' || room.phase === 'ended') room.join(word.ticket);
}

async function main(): Promise<void> {
  await customElements.whenDefined('consult-room');
  const room = byId<ConsultRoomElement>('room');
  if (window.parent === window) {
    room.hidden = true;
    byId('alone').hidden = false;
    return;
  }
  const line = new PortalLine(window.parent, portals(), location.ancestorOrigins?.[0]);
  room.setAttribute('resume-key', location.hash.slice(1));
  let isResuming = false;
  room.addEventListener('consult-waiting', () => line.tell({ type: 'consilium-waiting' }));
  room.addEventListener('consult-joined', () => {
    isResuming = false;
    line.tell({ type: 'consilium-joined' });
  });
  room.addEventListener('consult-left', (event) => {
    const { reason } = (event as CustomEvent<{ reason: string }>).detail;
    // What the tab remembered was too old: nobody has left who was not in.
    line.tell(isResuming ? { type: 'consilium-ticket-needed' } : { type: 'consilium-left', reason });
    isResuming = false;
  });
  window.addEventListener('message', (event) => {
    const word = line.hear(event);
    if (word !== undefined) obey(room, word);
  });
  line.tell({ type: 'consilium-ready' });
  isResuming = room.resume();
  if (!isResuming) line.tell({ type: 'consilium-ticket-needed' });
}

void main();
