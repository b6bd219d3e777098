//! Each line once, in the order in which they are kept, whichever way it came.

import assert from 'node:assert/strict';
import test from 'node:test';

import { ChatLog, type ChatLine } from '../src/chat-log.js';
import { authorWords } from '../src/words.js';

function line(id: string): ChatLine {
  return { id, from: 1, role: 'patient', text: `line ${id}`, atMs: 0 };
}

const ids = (log: ChatLog) => log.lines.map(({ id }) => id).join('');

test('a line that was heard and fetched stands once, where it is kept', () => {
  const log = new ChatLog();
  log.hear(line('c'));
  log.hear(line('e'));
  assert.equal(ids(log), 'ce');
  log.take([line('a'), line('b')], 2);
  log.take([line('c'), line('d')], 4);
  assert.equal(ids(log), 'abcde', 'what was kept after the last page comes after it');
  assert.equal(log.last, 4);
  log.hear(line('d'));
  assert.equal(ids(log), 'abcde', 'also when it is heard after it was fetched');
});

test('what was written while the line was down stands between what was heard before and after', () => {
  const log = new ChatLog();
  log.take([line('a')], 1);
  log.hear(line('b'));
  log.hear(line('e'));
  log.take([line('b'), line('c'), line('d'), line('e')], 5);
  log.take([line('e')], 5);
  assert.equal(ids(log), 'abcde');
});

test('the newest five hundred are kept, however many there are', () => {
  const log = new ChatLog();
  for (let number = 0; number < 600; number += 1) log.hear(line(`h${number}`));
  log.take(Array.from({ length: 600 }, (_, number) => line(`k${number}`)), 600);
  assert.equal(log.lines.length, 500);
  assert.equal(log.lines.at(-1)?.id, 'h599');
});

test('who wrote a line is told by name, or by what they were', () => {
  const author = { participant: 1, role: 'patient', display_name: 'Rosa' } as const;
  assert.equal(authorWords(line('a'), author, true), 'You');
  assert.equal(authorWords(line('a'), author, false), 'Rosa');
  assert.equal(authorWords(line('a'), undefined, false), 'Patient who has left');
  assert.equal(authorWords({ ...line('a'), role: undefined }, undefined, false), 'Someone who has left');
});
