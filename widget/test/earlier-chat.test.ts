//! What was written earlier is asked for where the server is, page by page, with the token in a header and nowhere else.

import assert from 'node:assert/strict';
import test from 'node:test';

import type { ChatLine } from '../src/chat-log.js';
import { chatUrl, fetchChat } from '../src/earlier-chat.js';

const OF = { server: 'https://node.example/base/', consult: 'c0', token: 'secret', after: 0 };

function kept(number: number): Record<string, unknown> {
  return { id: `id-${number}`, number, at: '2026-01-02T03:04:05.678Z', person: 'p', participant: 2, role: 'provider', text: `line ${number}` };
}

/** A server that has these pages, in order, whatever it is asked. */
function serverOf(pages: unknown[], status = 200) {
  const asked: { url: string; init: RequestInit }[] = [];
  const ask = async (url: string, init: RequestInit) => {
    asked.push({ url, init });
    return new Response(JSON.stringify(pages.shift()), { status });
  };
  return { asked, ask };
}

async function fetched(pages: unknown[], status = 200, of = OF) {
  const { asked, ask } = serverOf(pages, status);
  const lines: ChatLine[] = [];
  await fetchChat(of, (more) => lines.push(...more), ask);
  return { asked, lines };
}

test('the address is where the server is, and has no token in it', () => {
  assert.equal(chatUrl('https://node.example', 'c0', 0), 'https://node.example/v1/consults/c0/chat?after=0');
  assert.equal(chatUrl('http://127.0.0.1:8080/base/?a=b#c', 'a/b', 7), 'http://127.0.0.1:8080/base/v1/consults/a%2Fb/chat?after=7');
});

test('pages are asked for until there is none', async () => {
  const gone = { ...kept(3), text: null, participant: null };
  const { asked, lines } = await fetched([{ lines: [kept(1), kept(2)], last: 2 }, { lines: [gone], last: 3 }, { lines: [], last: null }]);
  assert.deepEqual(asked.map(({ url }) => new URL(url).search), ['?after=0', '?after=2', '?after=3']);
  for (const { url, init } of asked) {
    assert.ok(!url.includes('secret'));
    assert.deepEqual([init.headers, init.credentials, init.redirect], [{ authorization: 'Bearer secret' }, 'omit', 'error']);
  }
  const atMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  assert.deepEqual(lines[0], { id: 'id-1', from: 2, role: 'provider', text: 'line 1', atMs });
  assert.deepEqual(lines[2], { id: 'id-3', from: undefined, role: 'provider', text: undefined, atMs });
});

test('it is not asked for ever', async () => {
  const pages = Array.from({ length: 50 }, (_, page) => ({ lines: [kept(page + 1)], last: page + 1 }));
  const { asked, lines } = await fetched(pages);
  assert.deepEqual([asked.length, lines.length], [10, 10]);
});

test('a server that refuses, or says what nobody understands, is none', async () => {
  await assert.rejects(fetched([{ code: 'visit_over' }], 401));
  const bad = [null, [], { lines: 'x', last: 1 }, { lines: [{}], last: 1 }, { lines: [kept(1)], last: 0 }, { lines: [{ ...kept(1), at: 'yesterday' }], last: 1 }];
  for (const page of bad) await assert.rejects(fetched([page]), JSON.stringify(page));
  await assert.rejects(fetchChat(OF, () => {}, async () => Promise.reject(new TypeError('no network'))));
});
