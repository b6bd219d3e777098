//! The line to the server: hello, resume, back-off and endings, in virtual time.

import assert from 'node:assert/strict';
import test from 'node:test';

import { ATTEMPTS_MAX, backoffMs } from '../src/backoff.js';
import { Signaling, signalUrl, type Credential, type Ending, type SignalingWorld } from '../src/signaling.js';

class FakeSocket {
  readyState = 0;
  sent: unknown[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  close(): void {
    this.readyState = 3;
  }
  closedByServer(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

class World implements SignalingWorld {
  sockets: FakeSocket[] = [];
  protocols: string[] = [];
  timers: { at: number; run: () => void }[] = [];
  clock = 0;

  open(_url: string, protocol: string): WebSocket {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    this.protocols.push(protocol);
    return socket as unknown as WebSocket;
  }
  after(ms: number, run: () => void): () => void {
    const timer = { at: this.clock + ms, run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((each) => each !== timer);
    };
  }
  random(): number {
    return 0;
  }
  now(): number {
    return this.clock;
  }
  pass(ms: number): void {
    const until = this.clock + ms;
    for (;;) {
      const due = this.timers.filter((each) => each.at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((each) => each !== due);
      this.clock = due.at;
      due.run();
    }
    this.clock = until;
  }
  get last(): FakeSocket {
    const socket = this.sockets[this.sockets.length - 1];
    assert.ok(socket !== undefined);
    return socket;
  }
}

const WELCOME = { type: 'welcome', consult: 'ab', participant: 3, role: 'nurse', display_name: 'Kim', slots: { camera: 3, screen: 1 } };

function begin(credential: Credential = { ticket: 't' }) {
  const world = new World();
  const seen = { endings: [] as Ending[], attempts: [] as number[], tokens: [] as (string | undefined)[], types: [] as string[] };
  const signaling = new Signaling(
    'https://clinic.example',
    credential,
    {
      message: (message) => seen.types.push(message.type),
      reconnecting: (attempt) => seen.attempts.push(attempt),
      ended: (ending) => seen.endings.push(ending),
      resumeToken: (token) => seen.tokens.push(token),
    },
    world,
  );
  signaling.connect();
  return { world, seen, signaling };
}

function welcomed(token = 'r1') {
  const all = begin();
  all.world.last.open();
  all.world.last.say({ ...WELCOME, resume_token: token });
  return all;
}

test('the ticket travels in the first message and never in the address', () => {
  const { world } = begin({ ticket: 'secret' });
  world.last.open();
  assert.deepEqual(world.last.sent, [{ type: 'hello', ticket: 'secret' }]);
  assert.deepEqual(world.protocols, ['consilium.v1']);
  assert.equal(signalUrl('https://clinic.example/base/?x=1#secret'), 'wss://clinic.example/base/v1/signal');
  assert.equal(signalUrl('http://127.0.0.1:8080'), 'ws://127.0.0.1:8080/v1/signal');
  assert.throws(() => signalUrl('javascript:alert(1)'));
});

test('a broken line comes back with the newest resume token', () => {
  const { world, seen } = welcomed('r1');
  world.last.closedByServer(1006);
  assert.deepEqual(seen.attempts, [1]);
  world.pass(1_000);
  world.last.open();
  assert.deepEqual(world.last.sent, [{ type: 'hello', resume_token: 'r1' }]);
  world.last.say({ ...WELCOME, resume_token: 'r2' });
  assert.deepEqual(seen.tokens, ['r1', 'r2']);
  assert.deepEqual(seen.endings, []);
});

test('a server that says it goes down is looked for again', () => {
  const { world, seen } = welcomed();
  world.last.say({ type: 'leave', reason: 'server_shutdown' });
  world.last.closedByServer(1001);
  assert.deepEqual(seen.endings, []);
  world.pass(1_000);
  assert.equal(world.sockets.length, 2);
});

test('endings are final, and the resume token is forgotten', () => {
  for (const [act, ending] of [
    [(s: FakeSocket) => s.say({ type: 'leave', reason: 'replaced' }), { kind: 'goodbye', reason: 'replaced' }],
    [(s: FakeSocket) => s.say({ type: 'error', code: 'ticket_revoked', message: '', fatal: true }), { kind: 'error', code: 'ticket_revoked' }],
  ] as const) {
    const { world, seen } = welcomed();
    act(world.last);
    world.last.closedByServer(1000);
    world.pass(60_000);
    assert.deepEqual(seen.endings, [ending]);
    assert.equal(seen.tokens[seen.tokens.length - 1], undefined);
    assert.equal(world.sockets.length, 1);
  }
});

test('a close code speaks where the error message was lost', () => {
  const { world, seen } = begin();
  world.last.open();
  world.last.closedByServer(4409);
  assert.deepEqual(seen.endings, [{ kind: 'error', code: 'ticket_in_use' }]);
});

test('a ticket that this page has shown itself is shown again until the server lets go of the dead line', () => {
  const { world, seen } = begin();
  world.last.open();
  world.last.closedByServer(1006);
  world.pass(1_000);
  world.last.open();
  assert.deepEqual(world.last.sent, [{ type: 'hello', ticket: 't' }]);
  world.last.say({ type: 'error', code: 'ticket_in_use', message: '', fatal: true });
  world.last.closedByServer(4409);
  assert.deepEqual(seen.endings, []);
  world.pass(1_000);
  assert.equal(world.sockets.length, 3);
});

test('a goodbye that was lost is known by its close code', () => {
  for (const [code, reason] of [
    [4001, 'replaced'],
    [4002, 'media_lost'],
    [4003, 'removed'],
  ] as const) {
    const { world, seen } = welcomed();
    world.last.closedByServer(code);
    assert.deepEqual(seen.endings, [{ kind: 'goodbye', reason }]);
  }
});

test('an error that ends the connection but may pass is tried again', () => {
  const { world, seen } = welcomed();
  world.last.say({ type: 'error', code: 'internal', message: '', fatal: true });
  world.last.closedByServer(4500);
  world.pass(1_000);
  assert.deepEqual(seen.endings, []);
  assert.equal(world.sockets.length, 2);
});

test('a server that never answers hello is dropped and tried again, and given up in the end', () => {
  const { world, seen } = begin();
  for (let attempt = 0; attempt <= ATTEMPTS_MAX; attempt += 1) world.pass(21_000);
  assert.deepEqual(seen.endings, [{ kind: 'unreachable' }]);
  assert.equal(seen.attempts.length, ATTEMPTS_MAX);
});

test('a line that broke again at once waits longer; one that held starts anew', () => {
  const { world, seen } = welcomed();
  world.last.closedByServer(1006);
  world.pass(300);
  world.last.open();
  world.last.say({ ...WELCOME, resume_token: 'r2' });
  world.last.closedByServer(1006);
  assert.deepEqual(seen.attempts, [1, 2]);
  world.pass(600);
  world.last.open();
  world.last.say({ ...WELCOME, resume_token: 'r3' });
  world.pass(11_000);
  world.last.closedByServer(1006);
  assert.deepEqual(seen.attempts, [1, 2, 1]);
});

test('leaving says so once and opens nothing again', () => {
  const { world, seen, signaling } = welcomed();
  signaling.leave();
  signaling.leave();
  world.pass(60_000);
  assert.deepEqual(world.last.sent[1], { type: 'leave' });
  assert.deepEqual(seen.endings, [{ kind: 'left' }]);
  assert.equal(world.sockets.length, 1);
});

test('nothing is sent before hello was answered', () => {
  const { world, signaling } = begin();
  world.last.open();
  assert.equal(signaling.send({ type: 'chat', text: 'x' }), false);
  assert.equal(world.last.sent.length, 1);
});

test('the wait doubles up to ten seconds and half of it is drawn by lot', () => {
  assert.equal(backoffMs(0, 0), 150);
  assert.equal(backoffMs(0, 0.999), 300);
  assert.equal(backoffMs(1, 0), 300);
  assert.equal(backoffMs(40, 0), 5_000);
  assert.equal(backoffMs(40, 0.9999), 10_000);
});
