//! Which lines an offer gets and what each is for.

import assert from 'node:assert/strict';
import test from 'node:test';

import { describeLines, missingSlots } from '../src/peer.js';
import type { Source } from '../src/messages.js';

test('an offer gets the slot pairs that are missing and never loses one', () => {
  assert.deepEqual(missingSlots([], { camera: 2, screen: 1 }), [
    { pool: 'camera', index: 0 },
    { pool: 'camera', index: 1 },
    { pool: 'screen', index: 0 },
  ]);
  const have = [
    { pool: 'camera' as const, index: 0 },
    { pool: 'camera' as const, index: 1 },
  ];
  assert.deepEqual(missingSlots(have, { camera: 3, screen: 0 }), [{ pool: 'camera', index: 2 }]);
  assert.deepEqual(missingSlots(have, { camera: 1, screen: 0 }), []);
});

test('lines are told by mid: tracks with their mute state, both halves of a pair with one index', () => {
  const senders = new Map<Source, { mid: string | null }>([
    ['microphone', { mid: '0' }],
    ['camera', { mid: '1' }],
    ['screen', { mid: null }],
  ]);
  const slots = [
    { key: { pool: 'camera' as const, index: 0 }, audio: { mid: '4' }, video: { mid: '5' } },
    { key: { pool: 'screen' as const, index: 0 }, audio: { mid: '6' }, video: { mid: null } },
  ];
  assert.deepEqual(
    describeLines(senders, slots, (source) => source === 'camera'),
    {
      tracks: [
        { mid: '0', source: 'microphone', muted: false },
        { mid: '1', source: 'camera', muted: true },
      ],
      slots: [
        { mid: '4', pool: 'camera', index: 0 },
        { mid: '5', pool: 'camera', index: 0 },
        { mid: '6', pool: 'screen', index: 0 },
      ],
    },
  );
});
