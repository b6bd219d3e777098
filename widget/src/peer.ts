//! The media connection: one RTCPeerConnection from one `welcome` to the next. This side always makes the offer.

import { slotName, type SlotKey } from './layout.js';
import { SOURCES, type ClientMessage, type OfferedSlot, type OfferedTrack, type SlotCounts, type SlotPool, type Source } from './messages.js';

const ANSWER_TIMEOUT_MS = 15_000;
/** How long a lost path gets to mend by ICE restart before everything is set up anew. */
const MEND_TIMEOUT_MS = 10_000;

const SEND_BITS_PER_SECOND_MAX: Record<Source, number> = { microphone: 64_000, camera: 1_500_000, screen: 2_500_000, screen_audio: 128_000 };

export interface ReceiveSlot {
  key: SlotKey;
  audio: RTCRtpTransceiver;
  video: RTCRtpTransceiver;
}

export interface LocalTrack {
  track: MediaStreamTrack | null;
  muted: boolean;
}

export interface PeerEvents {
  send(message: ClientMessage): boolean;
  local(source: Source): LocalTrack;
  /** Who of the staff has muted it, until `unmuted`. */
  mutedBy(source: Source): number | undefined;
  /** The server was told that this person has turned it on again. */
  unmuted(source: Source): void;
  slotAdded(slot: ReceiveSlot): void;
  /** Whether media flows. */
  path(connected: boolean): void;
  /** Nothing more can be done here: come back with a new connection. */
  broken(): void;
}

interface Wanted {
  slots: SlotCounts;
  iceRestart: boolean;
}

/** Lines to add so that an offer has `wanted` pairs: never fewer than before, audio before video of the same index. */
export function missingSlots(have: readonly SlotKey[], wanted: SlotCounts): SlotKey[] {
  const missing: SlotKey[] = [];
  for (const pool of ['camera', 'screen'] as const satisfies readonly SlotPool[]) {
    const present = have.filter((slot) => slot.pool === pool).length;
    for (let index = present; index < wanted[pool]; index += 1) missing.push({ pool, index });
  }
  return missing;
}

type HasMid = { readonly mid: string | null };

/** What each line of the offer is for, by `mid`. Lines without a mid are not in the offer. */
export function describeLines(
  senders: ReadonlyMap<Source, HasMid>,
  slots: Iterable<{ key: SlotKey; audio: HasMid; video: HasMid }>,
  muted: (source: Source) => boolean,
): { tracks: OfferedTrack[]; slots: OfferedSlot[] } {
  const tracks: OfferedTrack[] = [];
  for (const [source, { mid }] of senders) if (mid !== null) tracks.push({ mid, source, muted: muted(source) });
  const offered: OfferedSlot[] = [];
  for (const { key, audio, video } of slots) {
    for (const { mid } of [audio, video]) if (mid !== null) offered.push({ mid, pool: key.pool, index: key.index });
  }
  return { tracks, slots: offered };
}

export class Peer {
  #connection: RTCPeerConnection;
  #events: PeerEvents;
  #senders = new Map<Source, RTCRtpTransceiver>();
  #slots = new Map<string, ReceiveSlot>();
  #inFlight = false;
  #next: Wanted | undefined;
  #slotCounts: SlotCounts;
  #told = new Map<Source, boolean>();
  #isClosed = false;
  #wasConnected = false;
  #answerTimer: ReturnType<typeof setTimeout> | undefined;
  #mendTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(slots: SlotCounts, events: PeerEvents) {
    this.#events = events;
    this.#slotCounts = slots;
    // No ICE servers: the server is ICE-lite with reachable candidates in its answer, so there is nothing to gather.
    this.#connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.#connection.onconnectionstatechange = () => this.#pathChanged();
    for (const source of SOURCES) this.#senders.set(source, this.#addSender(source));
  }

  /** Whether an offer waits for its answer. */
  get isNegotiating(): boolean {
    return this.#inFlight;
  }

  /** The first offer. */
  start(): void {
    void this.#negotiate({ slots: this.#slotCounts, iceRestart: false });
  }

  /** The server asks for another offer, or the path needs new candidates. */
  reoffer(slots: SlotCounts = this.#slotCounts, iceRestart = false): void {
    void this.#negotiate({ slots, iceRestart });
  }

  async answered(sdp: string): Promise<void> {
    if (!this.#inFlight || this.#isClosed) return;
    try {
      await this.#connection.setRemoteDescription({ type: 'answer', sdp });
    } catch {
      return this.#giveUp();
    }
    this.#finishOffer();
  }

  /** The server refused the offer in flight; everything stays as it was. False when there is nothing to stay with. */
  async refused(): Promise<boolean> {
    if (!this.#inFlight || this.#isClosed) return true;
    if (this.#connection.currentRemoteDescription === null) return false;
    await this.#connection.setLocalDescription({ type: 'rollback' }).catch(() => this.#giveUp());
    this.#finishOffer();
    return true;
  }

  /** Sends what `local(source)` says now, and tells the server. */
  async update(source: Source): Promise<void> {
    if (this.#isClosed) return;
    const { track } = this.#events.local(source);
    const sender = this.#senders.get(source)?.sender;
    if (sender !== undefined && sender.track !== track) await sender.replaceTrack(track).catch(() => {});
    this.tellMuted(source);
  }

  tellMuted(source: Source): void {
    const { muted } = this.#events.local(source);
    // What its person has turned on again: staff's mute holds until the server is told so, whatever was told before.
    const by = muted ? undefined : this.#events.mutedBy(source);
    // Before the first offer there is nothing to mute, and while one is in flight the server may not know the line yet: `answered` makes up for it.
    if (this.#inFlight || !this.#told.has(source) || (this.#told.get(source) === muted && by === undefined)) return;
    if (!this.#events.send({ type: 'mute', source, muted, ...(by === undefined ? {} : { muted_by: by }) })) return;
    this.#told.set(source, muted);
    if (!muted) this.#events.unmuted(source);
  }

  /** A successor is on its way: goes on sending, so that the others see no gap, and does nothing else. */
  retire(): void {
    this.#isClosed = true;
    clearTimeout(this.#answerTimer);
    clearTimeout(this.#mendTimer);
    this.#connection.onconnectionstatechange = null;
  }

  close(): void {
    this.retire();
    this.#connection.close();
  }

  stats(): Promise<RTCStatsReport> {
    return this.#connection.getStats();
  }

  #addSender(source: Source): RTCRtpTransceiver {
    const kind = source === 'microphone' || source === 'screen_audio' ? 'audio' : 'video';
    const transceiver = this.#connection.addTransceiver(kind, {
      direction: 'sendonly',
      sendEncodings: [{ maxBitrate: SEND_BITS_PER_SECOND_MAX[source] }],
    });
    const { track } = this.#events.local(source);
    if (track !== null) void transceiver.sender.replaceTrack(track).catch(() => {});
    return transceiver;
  }

  #addSlot(key: SlotKey): void {
    const slot: ReceiveSlot = {
      key,
      audio: this.#connection.addTransceiver('audio', { direction: 'recvonly' }),
      video: this.#connection.addTransceiver('video', { direction: 'recvonly' }),
    };
    this.#slots.set(slotName(key), slot);
    this.#events.slotAdded(slot);
  }

  async #negotiate(wanted: Wanted): Promise<void> {
    this.#slotCounts = { camera: Math.max(wanted.slots.camera, this.#slotCounts.camera), screen: Math.max(wanted.slots.screen, this.#slotCounts.screen) };
    if (this.#inFlight) {
      this.#next = { slots: this.#slotCounts, iceRestart: wanted.iceRestart || this.#next?.iceRestart === true };
      return;
    }
    this.#inFlight = true;
    const have = [...this.#slots.values()].map((slot) => slot.key);
    for (const key of missingSlots(have, this.#slotCounts)) this.#addSlot(key);
    try {
      await this.#connection.setLocalDescription(await this.#connection.createOffer({ iceRestart: wanted.iceRestart }));
    } catch {
      return this.#giveUp();
    }
    if (this.#isClosed) return;
    this.#sendOffer();
  }

  #sendOffer(): void {
    const sdp = this.#connection.localDescription?.sdp ?? '';
    // An offer ends no mute of staff's: what its person has just turned on is told behind the answer.
    const isOff = (source: Source) => this.#events.local(source).muted || this.#events.mutedBy(source) !== undefined;
    const lines = describeLines(this.#senders, this.#slots.values(), isOff);
    for (const track of lines.tracks) this.#told.set(track.source, track.muted);
    this.#answerTimer = setTimeout(() => this.#giveUp(), ANSWER_TIMEOUT_MS);
    if (!this.#events.send({ type: 'offer', sdp, ...lines })) this.#giveUp();
  }

  #finishOffer(): void {
    clearTimeout(this.#answerTimer);
    this.#inFlight = false;
    for (const source of SOURCES) this.tellMuted(source);
    const next = this.#next;
    this.#next = undefined;
    if (next !== undefined) void this.#negotiate(next);
  }

  #pathChanged(): void {
    const state = this.#connection.connectionState;
    if (state === 'connected') {
      clearTimeout(this.#mendTimer);
      this.#mendTimer = undefined;
      this.#wasConnected = true;
      this.#events.path(true);
    } else if (state === 'failed') {
      this.#events.path(false);
      this.#mend();
    } else if (state === 'disconnected') {
      this.#events.path(false);
    }
  }

  #mend(): void {
    if (!this.#wasConnected) return this.#giveUp();
    if (this.#mendTimer !== undefined) return;
    this.#mendTimer = setTimeout(() => this.#giveUp(), MEND_TIMEOUT_MS);
    this.reoffer(undefined, true);
  }

  #giveUp(): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.broken();
  }
}
