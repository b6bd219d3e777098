//! The JSON messages of `consilium.v1`, typed; what the server says is checked before anything trusts it.

import { fields, list, oneOf, text, whole, type Fields } from './parse.js';

export const SUBPROTOCOL = 'consilium.v1';
export const CHAT_CHARS_MAX = 2000;

export type Role = 'patient' | 'provider' | 'nurse' | 'interpreter' | 'guardian' | 'observer';
export type Source = 'microphone' | 'camera' | 'screen' | 'screen_audio';
export type SlotPool = 'camera' | 'screen';

/** In the order in which the lines are offered. */
export const SOURCES: readonly Source[] = ['microphone', 'camera', 'screen', 'screen_audio'];

export interface SlotCounts {
  camera: number;
  screen: number;
}
export interface SlotAssignment {
  pool: SlotPool;
  index: number;
  publisher: number;
}
export interface Person {
  participant: number;
  role: Role;
  display_name: string;
  /** They came by break-glass and have no part in the visit otherwise. Everybody is to see it. */
  break_glass?: true;
}
export interface Participant extends Person {
  live: Source[];
}
export interface Welcome extends Person {
  type: 'welcome';
  consult: string;
  slots: SlotCounts;
  resume_token: string;
  /** For the control API, where there is something to be used there. */
  api_token?: string;
}
export interface Layout {
  type: 'layout';
  revision: number;
  slots: SlotAssignment[];
  participants: Participant[];
}
export interface Reoffer {
  type: 'reoffer';
  reason: 'slots' | 'codec' | 'path';
  slots: SlotCounts;
  ice_restart: boolean;
}
export type GoodbyeReason = 'consult_ended' | 'replaced' | 'server_shutdown' | 'media_lost' | 'removed';
export type ServerMessage =
  | Welcome
  | Layout
  | Reoffer
  | { type: 'waiting'; resume_token?: string }
  | { type: 'answer'; sdp: string }
  | { type: 'lobby'; waiting: Person[] }
  | { type: 'chat'; id: string; from: number; text: string; at_ms: number }
  | { type: 'muted'; source: Source; by: number }
  | { type: 'error'; code: string; message: string; fatal: boolean }
  | { type: 'leave'; reason: string };

export interface OfferedTrack {
  mid: string;
  source: Source;
  muted: boolean;
}
export interface OfferedSlot {
  mid: string;
  pool: SlotPool;
  index: number;
}
export type ClientMessage =
  | { type: 'hello'; ticket: string }
  | { type: 'hello'; resume_token: string }
  | { type: 'offer'; sdp: string; tracks: OfferedTrack[]; slots: OfferedSlot[] }
  | { type: 'mute'; source: Source; muted: boolean; muted_by?: number }
  | { type: 'admit'; participant: number }
  | { type: 'remove'; participant: number }
  | { type: 'mute_other'; participant: number; source: Source }
  | { type: 'chat'; text: string }
  | { type: 'leave' };

const ROLES: readonly string[] = ['patient', 'provider', 'nurse', 'interpreter', 'guardian', 'observer'];


/** Parses one text message. `undefined` means: not understood, to be ignored (a newer server may say more). */
export function parseServerMessage(data: unknown): ServerMessage | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    return parseFields(fields(JSON.parse(data)));
  } catch {
    return undefined;
  }
}

function parseFields(f: Fields): ServerMessage | undefined {
  switch (f.type) {
    case 'welcome':
      return {
        type: 'welcome',
        ...person(f),
        consult: text(f.consult),
        slots: counts(f.slots),
        resume_token: text(f.resume_token),
        ...(typeof f.api_token === 'string' ? { api_token: f.api_token } : {}),
      };
    case 'waiting':
      return { type: 'waiting', ...(typeof f.resume_token === 'string' ? { resume_token: f.resume_token } : {}) };
    case 'answer':
      return { type: 'answer', sdp: text(f.sdp) };
    case 'reoffer':
      return { type: 'reoffer', reason: oneOf(f.reason, ['slots', 'codec', 'path']), slots: counts(f.slots), ice_restart: f.ice_restart === true };
    case 'layout':
      return { type: 'layout', revision: whole(f.revision), slots: list(f.slots, assignment), participants: list(f.participants, participant) };
    case 'lobby':
      return { type: 'lobby', waiting: list(f.waiting, (each) => person(fields(each))) };
    case 'chat':
      return { type: 'chat', id: text(f.id), from: whole(f.from), text: text(f.text), at_ms: whole(f.at_ms) };
    case 'muted':
      return { type: 'muted', source: oneOf(f.source, SOURCES) as Source, by: whole(f.by) };
    case 'error':
      return { type: 'error', code: text(f.code), message: text(f.message), fatal: f.fatal === true };
    case 'leave':
      return { type: 'leave', reason: text(f.reason) };
    default:
      return undefined;
  }
}

function counts(value: unknown): SlotCounts {
  const f = fields(value);
  return { camera: whole(f.camera), screen: whole(f.screen) };
}

export function role(value: unknown): Role {
  return oneOf(value, ROLES) as Role;
}

function person(f: Fields): Person {
  const person: Person = { participant: whole(f.participant), role: role(f.role), display_name: text(f.display_name) };
  // Whatever says that it was an emergency is shown as one.
  if (f.break_glass !== undefined && f.break_glass !== false) person.break_glass = true;
  return person;
}

function participant(value: unknown): Participant {
  const f = fields(value);
  // A source that this version does not know is left out rather than losing the whole layout.
  const live = list(f.live, text).filter((each): each is Source => (SOURCES as readonly string[]).includes(each));
  return { ...person(f), live };
}

function assignment(value: unknown): SlotAssignment {
  const f = fields(value);
  return { pool: oneOf(f.pool, ['camera', 'screen']), index: whole(f.index), publisher: whole(f.publisher) };
}
