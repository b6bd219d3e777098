//! Each line once, in the order in which they are kept, whichever way it came.

import assert from 'node:assert/strict';
import test from 'node:test';

import { ChatLog, type ChatLine } from '../src/chat-log.js';
import { authorWords } from '../src/words.js';

const ROSA = { participant: 1, role: 'patient', display_name: 'Rosa' } as const;
const KIM = { participant: 2, role: 'nurse', display_name: 'Kim' } as const;

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
  const known = { role: 'patient', author: ROSA, isMine: false } as const;
  assert.equal(authorWords({ ...known, isMine: true }), 'You');
  assert.equal(authorWords(known), 'Rosa');
  assert.equal(authorWords({ ...known, author: undefined }), 'Patient who has left');
  assert.equal(authorWords({ ...known, author: undefined, role: undefined }), 'Someone who has left');
});

const names = (log: ChatLog) => log.lines.map((each) => authorWords(each)).join(', ');

test('whose a line is stands, whoever has the number after the server has started again', () => {
  const log = new ChatLog();
  log.join(KIM, true);
  log.take([line('a'), { ...line('b'), from: 3 }], 2);
  assert.equal(names(log), 'Patient who has left, Patient who has left', 'until somebody is told who they are');
  log.meet([ROSA, KIM]);
  log.hear(line('c'));
  log.hear({ ...line('d'), from: 2 });
  assert.equal(names(log), 'Rosa, Patient who has left, Rosa, You');
  log.join(KIM, true);
  log.meet([{ ...ROSA, display_name: 'Tomas' }, { ...ROSA, participant: 3, display_name: 'Rosa' }]);
  assert.equal(names(log), 'Rosa, Patient who has left, Rosa, You', 'a number of before stands for nobody');
  log.hear(line('e'));
  assert.equal(names(log), 'Rosa, Patient who has left, Rosa, You, Tomas');
});

test('who has another number than before begins anew, where there is something to begin with', () => {
  const log = new ChatLog();
  log.join(KIM, true);
  log.take([line('a')], 1);
  log.hear({ ...line('b'), from: 2 });
  log.join({ ...KIM, participant: 5 }, false);
  assert.deepEqual([ids(log), log.last, names(log)], ['ab', 1, 'Patient who has left, You'], 'without a token, nothing is lost');
  log.join({ ...KIM, participant: 6 }, true);
  assert.deepEqual([ids(log), log.last], ['', 0]);
  log.take([line('a'), { ...line('b'), from: 6 }], 2);
  assert.equal(names(log), 'Patient who has left, You');
});

test('only what somebody else wrote while one was there is news', () => {
  const log = new ChatLog();
  log.join(KIM, true);
  log.take([line('a')], 1);
  assert.equal(log.hasNews, false, 'what was written before is not');
  log.hear({ ...line('b'), from: 2 });
  assert.equal(log.hasNews, false, 'nor what one wrote oneself');
  log.hear(line('c'));
  log.take([line('c')], 2);
  assert.equal(log.hasNews, true, 'also once it was fetched');
  log.see();
  assert.equal(log.hasNews, false);
});
