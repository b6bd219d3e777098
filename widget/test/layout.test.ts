//! Layouts replace each other by revision and name the person in each slot.

import assert from 'node:assert/strict';
import test from 'node:test';

import { EMPTY_LAYOUT, applyLayout, personInSlot } from '../src/layout.js';
import type { Layout } from '../src/messages.js';

function layout(revision: number, publisher: number): Layout {
  return {
    type: 'layout',
    revision,
    slots: [{ pool: 'camera', index: 0, publisher }],
    participants: [
      { participant: 1, role: 'patient', display_name: 'Ana', live: ['camera'] },
      { participant: 2, role: 'provider', display_name: 'Ben', live: [] },
    ],
  };
}

test('an older layout than seen before is ignored', () => {
  const newest = applyLayout(applyLayout(EMPTY_LAYOUT, layout(0, 1)), layout(5, 2));
  assert.equal(applyLayout(newest, layout(4, 1)), newest);
  assert.equal(applyLayout(newest, layout(5, 1)), newest);
  assert.equal(personInSlot(newest, { pool: 'camera', index: 0 })?.display_name, 'Ben');
});

test('a slot that is not listed is empty, and so is one whose publisher is not named', () => {
  const state = applyLayout(EMPTY_LAYOUT, layout(1, 9));
  assert.equal(personInSlot(state, { pool: 'camera', index: 0 }), undefined);
  assert.equal(personInSlot(state, { pool: 'screen', index: 0 }), undefined);
});
