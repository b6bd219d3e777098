//! A portal as a clinic would have one, as small as can be: gets a ticket, gives it to the element.
//!
//! `#join=<ticket>` opens a real link. `#patient`, `#provider`, … ask a server in dev mode for a fresh ticket on each visit.
//! The part after `#` is never sent to a server.

import type { ConsultRoomElement } from '../src/consult-room.js';

const DEMO_ROLES = ['patient', 'provider', 'nurse', 'interpreter', 'guardian', 'observer'];

type Visit = { kind: 'link'; ticket: string } | { kind: 'demo'; role: string } | { kind: 'reload' } | { kind: 'none' };

function visitOf(fragment: string): Visit {
  if (fragment.startsWith('#join=')) return { kind: 'link', ticket: fragment.slice('#join='.length) };
  const role = fragment.slice(1);
  if (DEMO_ROLES.includes(role)) return { kind: 'demo', role };
  return fragment === '' ? { kind: 'reload' } : { kind: 'none' };
}

async function demoTicket(role: string): Promise<{ ticket: string; display_name: string }> {
  const response = await fetch('/dev/tickets', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ role }) });
  if (!response.ok) throw new Error(`no demo ticket: ${response.status}`);
  return (await response.json()) as { ticket: string; display_name: string };
}

function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found as T;
}

async function joinAs(room: ConsultRoomElement, role: string): Promise<void> {
  const { ticket, display_name } = await demoTicket(role);
  byId('who').textContent = display_name;
  room.join(ticket);
}

async function main(): Promise<void> {
  await customElements.whenDefined('consult-room');
  const room = byId<ConsultRoomElement>('room');
  const visit = visitOf(location.hash);
  room.setAttribute('resume-key', visit.kind === 'demo' ? visit.role : 'link');
  window.addEventListener('hashchange', () => location.reload());

  let isResuming = false;
  byId('rejoin').onclick = () => {
    if (visit.kind !== 'demo') return location.reload();
    byId('again').hidden = true;
    void joinAs(room, visit.role);
  };
  room.addEventListener('consult-joined', () => {
    isResuming = false;
    byId('again').hidden = true;
  });
  room.addEventListener('consult-left', () => {
    // A resume token that is too old: the demo can simply have another ticket.
    if (isResuming && visit.kind === 'demo') void joinAs(room, visit.role);
    else byId('again').hidden = visit.kind !== 'demo';
    isResuming = false;
  });

  if (visit.kind === 'link') {
    history.replaceState(null, '', location.pathname);
    room.join(visit.ticket);
  } else if (visit.kind !== 'none' && room.canResume) {
    isResuming = room.resume();
  } else if (visit.kind === 'demo') {
    await joinAs(room, visit.role);
  } else {
    byId('choose').hidden = false;
  }
}

main().catch(() => {
  byId('choose').hidden = false;
});
