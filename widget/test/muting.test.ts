//! What staff has muted stays off until its person turns it on again, whichever comes first: what the server says or the device.

import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';

import { Consult } from '../src/consult.js';
import type { Device } from '../src/media.js';
import type { Source } from '../src/messages.js';

class FakeTrack {
  enabled = true;
  readyState = 'live';
  onended: (() => void) | null = null;
  constructor(readonly kind: 'audio' | 'video') {}
  stop(): void {
    this.readyState = 'ended';
  }
}

/** Answers when the test lets it. */
class FakeDevices {
  tracks: FakeTrack[] = [];
  #waiting: { wanted: MediaStreamConstraints; resolve: (stream: unknown) => void; reject: (error: Error) => void }[] = [];

  getUserMedia = (wanted: MediaStreamConstraints): Promise<unknown> =>
    new Promise((resolve, reject) => this.#waiting.push({ wanted, resolve, reject }));

  async open(): Promise<void> {
    for (const { wanted, resolve } of this.#waiting.splice(0)) {
      const tracks = (['audio', 'video'] as const).filter((kind) => wanted[kind] !== undefined).map((kind) => new FakeTrack(kind));
      this.tracks.push(...tracks);
      resolve({ getTracks: () => tracks });
    }
    await settled();
  }

  async refuse(): Promise<void> {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('busy'));
    await settled();
  }

  newest(kind: string): FakeTrack | undefined {
    return this.tracks.filter((track) => track.kind === kind).at(-1);
  }
}

type Sent = { type: string; tracks?: { source: Source; muted: boolean }[] };

class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 1;
  sent: Sent[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor() {
    FakeSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.readyState = 3;
  }
}

class FakeConnection {
  connectionState = 'new';
  localDescription = { sdp: 'v=0' };
  currentRemoteDescription = null;
  #lines = 0;

  addTransceiver(): unknown {
    const sender = { track: null as unknown, replaceTrack: async (track: unknown) => void (sender.track = track) };
    this.#lines += 1;
    return { mid: String(this.#lines), sender };
  }
  createOffer = async (): Promise<unknown> => ({});
  setLocalDescription = async (): Promise<void> => {};
  setRemoteDescription = async (): Promise<void> => {};
  close(): void {}
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

/** A page and its server's side. */
class Page {
  devices = new FakeDevices();
  told: Source[] = [];
  consult: Consult;

  constructor(t: TestContext) {
    FakeSocket.all = [];
    const globals = { WebSocket: FakeSocket, RTCPeerConnection: FakeConnection, navigator: { mediaDevices: this.devices } };
    for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true });
    const nothing = () => {};
    this.consult = new Consult('http://node.example', { ticket: 't' }, { changed: nothing, phase: nothing, refused: nothing, resumeToken: nothing, muted: (source) => this.told.push(source) });
    t.after(() => this.consult.leave());
    void this.consult.media.open();
  }

  get socket(): FakeSocket {
    const socket = FakeSocket.all.at(-1);
    assert.ok(socket);
    return socket;
  }

  async hears(message: Record<string, unknown>): Promise<void> {
    this.socket.onmessage?.({ data: JSON.stringify(message) });
    await settled();
  }

  /** Gives the source's state in the offer that follows. */
  async isWelcomed(source: Source): Promise<boolean | undefined> {
    this.socket.onopen?.();
    await this.hears({ type: 'welcome', consult: '0'.repeat(32), participant: 2, role: 'patient', display_name: 'Pat', slots: { camera: 0, screen: 0 }, resume_token: 'again' });
    return this.offered(source);
  }

  offered(source: Source): boolean | undefined {
    const offer = this.socket.sent.filter((each) => each.type === 'offer').at(-1);
    return offer?.tracks?.find((track) => track.source === source)?.muted;
  }

  isMuted(source: Source, by = 1): Promise<void> {
    return this.hears({ type: 'muted', source, by });
  }

  isAnswered(): Promise<void> {
    return this.hears({ type: 'answer', sdp: 'v=0' });
  }

  async presses(device: Device): Promise<void> {
    void this.consult.toggle(device);
    await settled();
  }

  /** What it has said of this source, in short. */
  said(wanted: Source): string[] {
    const mutes = this.socket.sent.filter((each) => each.type === 'mute') as unknown as { source: Source; muted: boolean; muted_by?: number }[];
    return mutes.filter(({ source }) => source === wanted).map(({ muted, muted_by: by }) => `${muted ? 'off' : 'on'}${by === undefined ? '' : ` after ${by}`}`);
  }
}

test('nobody was muted: the microphone goes on when it is there, and says so', async (t) => {
  const page = new Page(t);
  assert.equal(await page.isWelcomed('microphone'), true);
  await page.isAnswered();
  await page.devices.open();
  assert.deepEqual(page.said('microphone'), ['on']);
  assert.equal(page.devices.newest('audio')?.enabled, true);
});

test('told before the device is there: it is opened and stays off, until its person turns it on', async (t) => {
  const page = new Page(t);
  await page.isWelcomed('microphone');
  await page.isMuted('microphone');
  await page.isAnswered();
  await page.devices.open();
  assert.equal(page.devices.newest('audio')?.enabled, false);
  assert.equal(page.consult.media.devices.microphone.on, false);
  assert.equal(page.consult.media.devices.camera.on, true, 'of the camera nothing was said');
  assert.deepEqual(page.said('microphone'), []);
  assert.deepEqual(page.told, ['microphone']);
  await page.presses('microphone');
  assert.equal(page.devices.newest('audio')?.enabled, true);
  assert.deepEqual(page.said('microphone'), ['on after 1']);
  for (let press = 0; press < 2; press += 1) await page.presses('microphone');
  assert.deepEqual(page.said('microphone'), ['on after 1', 'off', 'on'], 'the mute was ended once');
});

test('told before the device is there, which is asked for again by itself: it stays off', async (t) => {
  const page = new Page(t);
  await page.isWelcomed('microphone');
  await page.isMuted('microphone');
  await page.devices.refuse();
  await page.devices.open();
  await page.isAnswered();
  assert.equal(page.devices.newest('audio')?.enabled, false);
  assert.deepEqual(page.said('microphone'), []);
});

test('told while the offer is out and the device is there: nothing is said of it', async (t) => {
  const page = new Page(t);
  await page.isWelcomed('microphone');
  await page.devices.open();
  await page.isMuted('microphone');
  await page.isAnswered();
  assert.equal(page.devices.newest('audio')?.enabled, false);
  assert.deepEqual(page.said('microphone'), []);
});

test('told when it has just turned itself on: what crossed ends no mute, and the press does', async (t) => {
  const page = new Page(t);
  await page.isWelcomed('microphone');
  await page.isAnswered();
  await page.devices.open();
  await page.isMuted('microphone');
  await page.isMuted('microphone');
  assert.deepEqual(page.said('microphone'), ['on', 'off']);
  assert.deepEqual(page.told, ['microphone'], 'its person is told once');
  await page.presses('microphone');
  assert.deepEqual(page.said('microphone'), ['on', 'off', 'on after 1']);
  await page.isMuted('microphone');
  assert.deepEqual(page.told, ['microphone', 'microphone'], 'another mute is news');
});

test('a camera that staff has turned off is let go, and opened anew by a press', async (t) => {
  const page = new Page(t);
  await page.isWelcomed('camera');
  await page.isMuted('camera', 3);
  await page.isAnswered();
  await page.devices.open();
  assert.equal(page.devices.newest('video')?.readyState, 'ended', 'its light goes out');
  assert.equal(page.consult.media.local('camera').track, null);
  assert.deepEqual(page.said('camera'), []);
  await page.presses('camera');
  await page.devices.open();
  assert.equal(page.devices.newest('video')?.readyState, 'live');
  assert.deepEqual(page.said('camera'), ['on after 3']);
});

test('a press while another offer is out is told behind the answer', async (t) => {
  const page = new Page(t);
  await page.isWelcomed('microphone');
  await page.isAnswered();
  await page.devices.open();
  await page.isMuted('microphone');
  page.socket.onmessage?.({ data: JSON.stringify({ type: 'reoffer', reason: 'slots', slots: { camera: 0, screen: 0 }, ice_restart: false }) });
  await page.presses('microphone');
  assert.equal(page.offered('microphone'), true, 'an offer ends no mute');
  assert.deepEqual(page.said('microphone'), ['on', 'off']);
  await page.isAnswered();
  assert.deepEqual(page.said('microphone'), ['on', 'off', 'on after 1']);
});

test('told and turned on again while an offer is out that has it on: the mute is ended all the same', async (t) => {
  const page = new Page(t);
  await page.devices.open();
  assert.equal(await page.isWelcomed('microphone'), false);
  await page.isMuted('microphone');
  await page.presses('microphone');
  await page.isAnswered();
  assert.deepEqual(page.said('microphone'), ['on after 1']);
});

for (const isPressed of [false, true]) {
  test(`a line that broke and came back, ${isPressed ? 'with' : 'without'} a press meanwhile`, async (t) => {
    const page = new Page(t);
    await page.isWelcomed('microphone');
    await page.isAnswered();
    await page.devices.open();
    await page.isMuted('microphone');
    const [before] = FakeSocket.all;
    t.mock.method(Math, 'random', () => 0);
    page.consult.reconnect();
    if (isPressed) await page.presses('microphone');
    while (page.socket === before) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(await page.isWelcomed('microphone'), true);
    await page.isMuted('microphone');
    await page.isAnswered();
    assert.deepEqual(page.said('microphone'), isPressed ? ['on after 1'] : []);
    assert.equal(page.devices.newest('audio')?.enabled, isPressed);
    assert.deepEqual(page.told, ['microphone'], 'the page has said so already');
  });
}
