import assert from 'node:assert/strict';
import test from 'node:test';

import { PortalLine } from '../pages/portal-line.js';

const PORTAL = 'https://portal.clinic.example';
const OLD = 'https://old.clinic.example';
const TICKET = { type: 'consilium-ticket', ticket: 'a.b.c' };

function line(likely?: string) {
  const told: [unknown, string][] = [];
  const around = { postMessage: (message: unknown, origin: string) => void told.push([message, origin]) };
  return { line: new PortalLine(around, [PORTAL, OLD], likely), around, told };
}

test('only the page around is heard, and only of a listed origin', () => {
  const { line: portal, around } = line();
  assert.equal(portal.hear({ source: around, origin: 'https://evil.example', data: TICKET }), undefined);
  assert.equal(portal.hear({ source: {}, origin: PORTAL, data: TICKET }), undefined);
  assert.equal(portal.hear({ source: null, origin: PORTAL, data: TICKET }), undefined);
  assert.equal(portal.hear({ source: around, origin: `${PORTAL}.evil.example`, data: TICKET }), undefined);
  assert.deepEqual(portal.hear({ source: around, origin: PORTAL, data: TICKET }), { kind: 'ticket', ticket: 'a.b.c' });
  assert.deepEqual(portal.hear({ source: around, origin: PORTAL, data: { type: 'consilium-leave' } }), { kind: 'leave' });
});

test('what is no word is passed over', () => {
  const { line: portal, around } = line();
  for (const data of [undefined, null, 'consilium-ticket', 7, {}, { type: 'consilium-ticket' }, { ...TICKET, ticket: '' }, { ...TICKET, ticket: 7 }, { ...TICKET, ticket: 'x'.repeat(9000) }, { type: 'other', ticket: 'x' }]) {
    assert.equal(portal.hear({ source: around, origin: PORTAL, data }), undefined, JSON.stringify(data));
  }
});

test('news go to listed origins, and to the one alone that spoke or that is known to be around', () => {
  const one = line();
  one.line.tell({ type: 'consilium-ready' });
  assert.deepEqual(one.told.map(([, origin]) => origin), [PORTAL, OLD]);
  one.line.hear({ source: one.around, origin: OLD, data: TICKET });
  one.line.tell({ type: 'consilium-joined' });
  assert.deepEqual(one.told.slice(2), [[{ type: 'consilium-joined' }, OLD]]);
  assert.equal(one.line.hear({ source: one.around, origin: PORTAL, data: TICKET }), undefined);
  const known = line(OLD);
  known.line.tell({ type: 'consilium-ready' });
  assert.deepEqual(known.told.map(([, origin]) => origin), [OLD]);
  const strange = line('https://evil.example');
  strange.line.tell({ type: 'consilium-ready' });
  assert.deepEqual(strange.told, []);
});
