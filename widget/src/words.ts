//! Everything the widget says to people.

import type { KnownLine } from './chat-log.js';
import type { Consult } from './consult.js';
import type { Device, DeviceProblem } from './media.js';
import type { Person, Role, Source } from './messages.js';
import type { Ending } from './signaling.js';

const ROLE_WORDS: Record<Role, string> = {
  patient: 'Patient',
  provider: 'Doctor',
  nurse: 'Nurse',
  interpreter: 'Interpreter',
  guardian: 'Family or carer',
  observer: 'Observer',
};

export function roleWord(role: Role): string {
  return ROLE_WORDS[role];
}

/** What the picture says of somebody. */
export function standingWords(person: Person): string {
  return person.break_glass === true ? `${roleWord(person.role)}, emergency access` : roleWord(person.role);
}

/** What everybody is told for as long as somebody is there by break-glass. */
export function emergencyWords(person: Person, isMe: boolean): string {
  if (isMe) return 'You are here by emergency access. Everybody sees it, and it is put down in the patient’s record.';
  return `${person.display_name} (${roleWord(person.role).toLowerCase()}) is here by emergency access. It is put down in the patient’s record.`;
}

/** What staff is asked before somebody is sent out. */
export function removalWords(name: string): string {
  return `Remove ${name} from the visit? They cannot come back with their link.`;
}

const MUTED_WORDS: Record<Source, string> = {
  microphone: 'muted your microphone. Press Unmute when you want to speak.',
  camera: 'turned your camera off.',
  screen: 'stopped your screen sharing.',
  screen_audio: 'stopped your screen sharing.',
};

/** What somebody is told whom staff has muted. */
export function mutedWords(source: Source, by: Person | undefined): string {
  return `${by?.display_name ?? 'The clinic'} has ${MUTED_WORDS[source]}`;
}

/** Over a line of chat. Who has left before one came is known by what they were in the visit. */
export function authorWords(line: Pick<KnownLine, 'author' | 'isMine' | 'role'>): string {
  if (line.isMine) return 'You';
  if (line.author !== undefined) return line.author.display_name;
  return line.role === undefined ? 'Someone who has left' : `${roleWord(line.role)} who has left`;
}

/** Up to two letters for a picture that is not there. */
export function initials(name: string): string {
  const words = name.replace(/^(dr|prof|mr|mrs|ms)\.?\s+/i, '').split(/\s+/).filter((word) => /\p{L}|\p{N}/u.test(word));
  const picked = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return picked.map((word) => [...(word ?? '')].find((letter) => /\p{L}|\p{N}/u.test(letter)) ?? '').join('').toLocaleUpperCase() || '?';
}

const ERROR_WORDS: Record<string, string> = {
  ticket_invalid: 'This link is not valid. Please open the link from your invitation again, or ask the clinic for a new one.',
  ticket_expired: 'This link has expired, or its time has not come yet. Please ask the clinic for a new one.',
  ticket_revoked: 'This link has been withdrawn. Please ask the clinic for a new one.',
  ticket_in_use: 'This link has already been used. If you have this visit open in another tab or on another device, go on there; otherwise ask the clinic for a new link.',
  consult_full: 'This visit has as many people as it can hold. Please call the clinic.',
  node_full: 'There is no room for another visit right now. Please try again in a few minutes.',
  forbidden: 'You are not allowed to do that here.',
  offer_invalid: 'This browser could not agree with the server on how to send picture and sound. Please try a current Chrome, Edge, Firefox or Safari.',
  chat_busy: 'Your last message was not sent: the ones before it are still on their way. Please wait a moment and send it again.',
  chat_not_kept: 'A message of yours could not be saved, and nobody got it. Please send it again.',
  too_many_messages: 'That was too fast. Please wait a moment and try again.',
};

export function errorWords(code: string): string {
  return ERROR_WORDS[code] ?? `Something went wrong (${code}). Please try again, or call the clinic.`;
}

const GOODBYE_WORDS: Record<string, string> = {
  consult_ended: 'Thank you. You can close this page.',
  replaced: 'You are now connected in another tab or on another device. This one has stepped aside.',
  server_shutdown: 'The service is being restarted. Please come back in a minute.',
  removed: 'The clinic has removed you from this visit. If you think that this is a mistake, please call the clinic.',
  media_lost: 'The connection for picture and sound was lost. Please check your network and join again.',
};

export function endingWords(ending: Ending): { title: string; text: string } {
  switch (ending.kind) {
    case 'left':
      return { title: 'You have left the visit', text: 'You can close this page.' };
    case 'goodbye':
      return {
        title: ending.reason === 'consult_ended' ? 'The visit has ended' : 'You are no longer in the visit',
        text: GOODBYE_WORDS[ending.reason] ?? 'The server has closed the connection.',
      };
    case 'error':
      return { title: 'You could not be connected', text: errorWords(ending.code) };
    case 'unreachable':
      return { title: 'The connection was lost', text: 'The server could not be reached. Please check your network, then reload this page.' };
  }
}

/** One line for the status bar; read out by screen readers when it changes. */
export function statusWords(consult: Consult | undefined): string {
  switch (consult?.phase) {
    case undefined:
      return 'Not connected';
    case 'connecting':
      return 'Connecting…';
    case 'waiting':
      return 'In the waiting room';
    case 'reconnecting':
      return 'Connection lost. Reconnecting…';
    case 'ended':
      return 'Ended';
    case 'joined': {
      if (!consult.pathIsUp) return 'Connecting picture and sound…';
      const others = consult.participants.filter((each) => each.participant !== consult.me?.participant).length;
      if (others === 0) return 'Connected. Nobody else is here yet';
      return others === 1 ? 'Connected with 1 other person' : `Connected with ${others} other people`;
    }
  }
}

const PROBLEM_WORDS: Record<Device, Record<DeviceProblem, string>> = {
  camera: {
    denied: 'The camera may not be used, so the others cannot see you. Allow it in the address bar, then turn the camera on.',
    missing: 'No camera was found, so the others cannot see you. They can still hear you.',
    busy: 'The camera could not be started. Another program may be using it.',
    unplugged: 'The camera was disconnected. Plug it in again or turn on another one.',
    insecure: 'Camera and microphone work only over https.',
  },
  microphone: {
    denied: 'The microphone may not be used, so the others cannot hear you. Allow it in the address bar, then turn the microphone on.',
    missing: 'No microphone was found, so the others cannot hear you. You can write in the chat.',
    busy: 'The microphone could not be started. Another program may be using it.',
    unplugged: 'The microphone was disconnected. Plug it in again or turn on another one.',
    insecure: 'Camera and microphone work only over https.',
  },
};

export function problemWords(device: Device, problem: DeviceProblem): string {
  return PROBLEM_WORDS[device][problem];
}

/** What the page says that guest links lead to. */
export const GUEST_WORDS = {
  ready: 'Press the button when you are ready. The clinic then sees that you are here, and lets you in.',
  again: 'Join again',
  noCode: 'To join your visit, please open the link again that you were sent.',
};

const GUEST_PROBLEM_WORDS: Record<string, string> = {
  not_found: 'This link is not valid, or not any more. Please open the newest link that you were sent, or ask the clinic for a new one.',
  consult_ended: 'This visit is over. If you were still expected, please call the clinic.',
  consent_missing: 'The clinic does not have your consent to a video visit. Please call the clinic, then press the button again.',
  too_many_requests: 'That was too fast. Please wait a moment, then press the button again.',
  unreachable: 'The server could not be reached. Please check your network, then press the button again.',
};

export function guestProblemWords(code: string): string {
  if (code === 'field_invalid' || code === 'body_malformed') return guestProblemWords('not_found');
  return GUEST_PROBLEM_WORDS[code] ?? 'That did not work. Please press the button again in a minute, or call the clinic.';
}
