//! What people read.

import assert from 'node:assert/strict';
import test from 'node:test';

import { emergencyWords, endingWords, errorWords, guestProblemWords, initials, removalWords, standingWords } from '../src/words.js';
import { problemOf } from '../src/media.js';

test('initials are two letters at most, without titles, in any script', () => {
  assert.equal(initials('Maria da Silva'), 'MS');
  assert.equal(initials('Dr. Wei Chen'), 'WC');
  assert.equal(initials('Cher'), 'C');
  assert.equal(initials('  '), '?');
  assert.equal(initials('李 小龍'), '李小');
});

test('every ticket error has words of its own that say what to do', () => {
  const words = ['ticket_invalid', 'ticket_expired', 'ticket_revoked', 'ticket_in_use'].map(errorWords);
  assert.equal(new Set(words).size, 4);
  for (const each of words) assert.match(each, /clinic/);
  assert.match(errorWords('never_heard_of'), /never_heard_of/);
});

test('being replaced says where the visit goes on', () => {
  assert.match(endingWords({ kind: 'goodbye', reason: 'replaced' }).text, /another tab/);
});

test('what a browser throws becomes something to act on', () => {
  assert.equal(problemOf(new DOMException('', 'NotAllowedError')), 'denied');
  assert.equal(problemOf(new DOMException('', 'NotFoundError')), 'missing');
  assert.equal(problemOf(new DOMException('', 'NotReadableError')), 'busy');
});

test('why a guest link does not open is told in words that say what to do', () => {
  const codes = ['not_found', 'consult_ended', 'consent_missing', 'too_many_requests', 'unreachable', 'store_unavailable'];
  const words = codes.map(guestProblemWords);
  assert.equal(new Set(words).size, codes.length);
  for (const each of words) assert.match(each, /[Pp]lease/);
  assert.equal(guestProblemWords('field_invalid'), guestProblemWords('not_found'));
});

test('nobody who came by emergency access looks as if they belonged to the visit', () => {
  const nurse = { participant: 4, role: 'nurse', display_name: 'Kim' } as const;
  assert.equal(standingWords(nurse), 'Nurse');
  assert.equal(standingWords({ ...nurse, break_glass: true }), 'Nurse, emergency access');
  assert.match(emergencyWords({ ...nurse, break_glass: true }, false), /^Kim \(nurse\) is here by emergency access/);
  assert.match(emergencyWords({ ...nurse, break_glass: true }, true), /^You are here by emergency access/);
});

test('who was sent out is told so, and who sends out is asked by name', () => {
  const { title, text } = endingWords({ kind: 'goodbye', reason: 'removed' });
  assert.equal(title, 'You are no longer in the visit');
  assert.match(text, /removed you.*call the clinic/);
  assert.match(removalWords('Rosa Testname'), /^Remove Rosa Testname from the visit\?/);
});
