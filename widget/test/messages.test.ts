//! What the server says is read exactly, and nothing malformed gets through.

import assert from 'node:assert/strict';
import test from 'node:test';

import { parseServerMessage } from '../src/messages.js';

const WELCOME = { type: 'welcome', consult: 'ab', participant: 3, role: 'nurse', display_name: 'Kim', slots: { camera: 3, screen: 1 }, resume_token: 'r' };

function parse(value: unknown): unknown {
  return parseServerMessage(JSON.stringify(value));
}

test('every message that the server can say is understood', () => {
  const person = { participant: 1, role: 'patient', display_name: 'Ana' };
  const messages = [
    WELCOME,
    { ...WELCOME, api_token: 'a' },
    { type: 'waiting' },
    { type: 'answer', sdp: 'v=0' },
    { type: 'reoffer', reason: 'slots', slots: { camera: 6, screen: 1 }, ice_restart: false },
    { type: 'layout', revision: 0, slots: [{ pool: 'screen', index: 0, publisher: 1 }], participants: [{ ...person, live: ['camera', 'screen_audio'] }] },
    { type: 'lobby', waiting: [person] },
    { type: 'chat', id: 'c0ffee', from: 1, text: 'hello', at_ms: 1 },
    { type: 'error', code: 'forbidden', message: 'no', fatal: false },
    { type: 'muted', source: 'microphone', by: 1 },
    { type: 'leave', reason: 'replaced' },
  ];
  for (const message of messages) assert.deepEqual(parse(message), message);
});

test('what is malformed or unknown is ignored', () => {
  const bad = [
    null,
    [],
    'text',
    {},
    { type: 'later_version' },
    { ...WELCOME, participant: -1 },
    { ...WELCOME, participant: '3' },
    { ...WELCOME, role: 'admin' },
    { ...WELCOME, slots: { camera: 1.5, screen: 1 } },
    { type: 'layout', revision: 1, slots: [{ pool: 'other', index: 0, publisher: 1 }], participants: [] },
    { type: 'layout', revision: 1, slots: {}, participants: [] },
    { type: 'answer' },
  ];
  for (const message of bad) assert.equal(parse(message), undefined, JSON.stringify(message));
  assert.equal(parseServerMessage('{'), undefined);
  assert.equal(parseServerMessage(new ArrayBuffer(2)), undefined);
});

test('a source of a later version is left out of the live list', () => {
  const message = { type: 'layout', revision: 1, slots: [], participants: [{ participant: 1, role: 'patient', display_name: 'Ana', live: ['camera', 'stethoscope'] }] };
  assert.deepEqual(parse(message), { ...message, participants: [{ ...message.participants[0], live: ['camera'] }] });
});
