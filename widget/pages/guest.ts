//! `/guest`: where links in mails and SMS lead. It shows a button, and does nothing else before that is pressed: programs look into mail
//! before people do.
//!
//! The link's code stands after `#`, which is never sent to a server. It leaves the address bar at once for the tab's own memory.

import type { ConsultRoomElement } from '../src/consult-room.js';
import { GUEST_WORDS, guestProblemWords } from '../src/words.js';
import { byId } from './page.js';

const KEPT = 'consilium.guest';

/** The link's code, of this link or of the one that a reload forgot. */
function takeCode(): { code: string; isNew: boolean } {
  const code = location.hash.slice(1);
  try {
    if (code === '') return { code: sessionStorage.getItem(KEPT) ?? '', isNew: false };
    sessionStorage.setItem(KEPT, code);
    history.replaceState(null, '', location.pathname);
  } catch {
    // Storage may be forbidden: then it stays where it is.
  }
  return { code, isNew: code !== '' };
}

/** A ticket for the code, or the code of the problem. */
async function redeem(code: string): Promise<{ ticket: string } | { problem: string }> {
  try {
    const response = await fetch('/v1/guest-links/redeem', {
      method: 'POST',
      credentials: 'omit',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    });
    const answer = (await response.json()) as { ticket?: unknown; code?: unknown };
    if (response.ok && typeof answer.ticket === 'string') return { ticket: answer.ticket };
    return { problem: typeof answer.code === 'string' ? answer.code : 'unknown' };
  } catch {
    return { problem: 'unreachable' };
  }
}

/** Shows the visit, or the page before it. */
function show(where: 'before' | 'visit' | 'after', words = ''): void {
  byId('room').hidden = where === 'before';
  byId('door').hidden = where === 'visit';
  byId('door').classList.toggle('after', where === 'after');
  for (const id of ['words', 'problem']) byId(id).hidden = where !== 'before' || id === 'problem';
  byId('title').hidden = where === 'after';
  byId('words').textContent = words;
}

async function main(): Promise<void> {
  await customElements.whenDefined('consult-room');
  const room = byId<ConsultRoomElement>('room');
  const button = byId<HTMLButtonElement>('join');
  const { code, isNew } = takeCode();
  window.addEventListener('hashchange', () => location.reload());
  room.addEventListener('consult-left', () => {
    if (code !== '') show('after');
    button.textContent = GUEST_WORDS.again;
  });
  button.onclick = async () => {
    button.disabled = true;
    const redeemed = await redeem(code);
    button.disabled = false;
    if ('problem' in redeemed) {
      byId('problem').textContent = guestProblemWords(redeemed.problem);
      byId('problem').hidden = false;
      return;
    }
    show('visit');
    room.join(redeemed.ticket);
  };
  button.hidden = code === '';
  if (!isNew && room.canResume) {
    show('visit');
    room.resume();
  } else {
    show('before', code === '' ? GUEST_WORDS.noCode : GUEST_WORDS.ready);
  }
}

void main();
