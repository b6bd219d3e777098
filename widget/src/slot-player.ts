//! Plays one slot: draws its frames on a canvas and lets its sound be heard, only where CSRC and layout agree.
//!
//! Frames go through a canvas, because a `<video>` shows the next frame whenever it comes, while the name beside it changes
//! when script runs: for a frame or two they would disagree. Canvas and name change in the same rendering step.

import { EMPTY_SLOT, isVouchedFor, reduceSlot, type Contribution, type SlotEvent, type SlotState } from './attribution.js';
import { whenLoaded } from './dom.js';
import { personInSlot, pictureSource, type LayoutState, type SlotKey } from './layout.js';
import type { ReceiveSlot } from './peer.js';

const CHECK_EVERY_MS = 100;

export class SlotPlayer {
  readonly key: SlotKey;
  readonly canvas = document.createElement('canvas');
  readonly audio = document.createElement('audio');
  readonly video = document.createElement('video');
  #slot: ReceiveSlot;
  #state: SlotState = EMPTY_SLOT;
  #changed: () => void;
  #soundBlocked: () => void;
  #timer: ReturnType<typeof setInterval>;
  #aside = document.createElement('canvas');
  #pendingTimestamp: number | undefined;
  #frameRequest = 0;
  #isClosed = false;

  constructor(slot: ReceiveSlot, changed: () => void, soundBlocked: () => void) {
    this.key = slot.key;
    this.#slot = slot;
    this.#changed = changed;
    this.#soundBlocked = soundBlocked;
    this.video.muted = true;
    this.video.playsInline = true;
    this.audio.muted = true;
    // An element whose stream carries nothing yet would hold back the page's load event.
    whenLoaded(() => this.#attach());
    this.#timer = setInterval(() => this.#check(), CHECK_EVERY_MS);
    this.#awaitFrame();
  }

  get state(): SlotState {
    return this.#state;
  }

  #attach(): void {
    if (this.#isClosed) return;
    this.video.srcObject = new MediaStream([this.#slot.video.receiver.track]);
    this.audio.srcObject = new MediaStream([this.#slot.audio.receiver.track]);
    this.play();
  }

  /** Starts playing; again after the person has allowed sound. */
  play(): void {
    // Never awaited: the promise stays open until the first frame.
    this.video.play().catch(() => {});
    this.audio.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.#soundBlocked();
    });
  }

  applyLayout(layout: LayoutState): void {
    const person = personInSlot(layout, this.key);
    this.#reduce({ type: 'layout', publisher: person?.participant, pictureLive: person?.live.includes(pictureSource(this.key.pool)) === true });
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.video.cancelVideoFrameCallback(this.#frameRequest);
    this.video.srcObject = null;
    this.audio.srcObject = null;
  }

  #awaitFrame(): void {
    this.#frameRequest = this.video.requestVideoFrameCallback((_now, metadata) => {
      if (this.#isClosed) return;
      this.#awaitFrame();
      this.#frame(metadata.rtpTimestamp);
    });
  }

  /** A frame that nobody has vouched for yet is kept aside; what is on display stays until the next look. */
  #frame(rtpTimestamp: number | undefined): void {
    this.#settlePending();
    if (rtpTimestamp !== undefined && !isVouchedFor(this.#pictureSources(), rtpTimestamp)) {
      copy(this.video, this.video.videoWidth, this.video.videoHeight, this.#aside);
      this.#pendingTimestamp = rtpTimestamp;
      return;
    }
    this.#reduce({ type: 'frame', sources: this.#pictureSources(), rtpTimestamp });
    if (this.#state.shown === undefined) return;
    copy(this.video, this.video.videoWidth, this.video.videoHeight, this.canvas);
    // What was copied is the newest frame, which may be newer than the one asked about; a microtask later is before the next rendering.
    queueMicrotask(() => this.#reduce({ type: 'pictureCheck', sources: this.#pictureSources() }));
  }

  #settlePending(): void {
    const rtpTimestamp = this.#pendingTimestamp;
    if (rtpTimestamp === undefined || !isVouchedFor(this.#pictureSources(), rtpTimestamp)) return;
    this.#pendingTimestamp = undefined;
    this.#reduce({ type: 'frame', sources: this.#pictureSources(), rtpTimestamp });
    if (this.#state.shown !== undefined) copy(this.#aside, this.#aside.width, this.#aside.height, this.canvas);
  }

  #check(): void {
    this.#settlePending();
    this.#reduce({ type: 'pictureCheck', sources: this.#pictureSources() });
    this.#reduce({ type: 'soundCheck', sources: contributions(this.#slot.audio.receiver) });
  }

  #pictureSources(): readonly Contribution[] {
    return contributions(this.#slot.video.receiver);
  }

  #reduce(event: SlotEvent): void {
    const before = this.#state;
    const after = reduceSlot(before, event);
    this.#state = after;
    if (after.shown === undefined && before.shown !== undefined) {
      this.canvas.getContext('2d')?.clearRect(0, 0, this.canvas.width, this.canvas.height);
    }
    this.audio.muted = !after.audible;
    const isVisibleChange = before.shown !== after.shown || before.audible !== after.audible || before.expected !== after.expected || before.pictureLive !== after.pictureLive;
    if (isVisibleChange) this.#changed();
  }
}

function copy(from: HTMLVideoElement | HTMLCanvasElement, width: number, height: number, to: HTMLCanvasElement): void {
  if (width === 0 || height === 0) return;
  if (to.width !== width || to.height !== height) {
    to.width = width;
    to.height = height;
  }
  to.getContext('2d')?.drawImage(from, 0, 0);
}

function contributions(receiver: RTCRtpReceiver): readonly Contribution[] {
  return receiver.getContributingSources();
}
