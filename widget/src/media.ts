//! The person's own camera, microphone and screen. Every one of them may be missing, refused or pulled out.

import type { Source } from './messages.js';
import type { LocalTrack } from './peer.js';

export type DeviceProblem = 'denied' | 'missing' | 'busy' | 'unplugged' | 'insecure';
export type Device = 'camera' | 'microphone';

export interface DeviceState {
  on: boolean;
  /** Whether it is to be on as soon as there is one: it may be turned off while it is still being opened. */
  isWanted: boolean;
  problem: DeviceProblem | undefined;
  track: MediaStreamTrack | null;
}

const WANTED: Record<Device, MediaStreamConstraints> = {
  camera: { video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 24, max: 30 } } },
  microphone: { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } },
};

/** Names what `getUserMedia` threw, for the person to act on. */
export function problemOf(error: unknown): DeviceProblem {
  const name = error instanceof Error || (typeof DOMException !== 'undefined' && error instanceof DOMException) ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'missing';
  return 'busy';
}

export class LocalMedia {
  readonly devices: Record<Device, DeviceState> = {
    camera: { on: false, isWanted: true, problem: undefined, track: null },
    microphone: { on: false, isWanted: true, problem: undefined, track: null },
  };
  screen: MediaStream | undefined;
  #changed: (source: Source) => void;
  #isClosed = false;

  constructor(changed: (source: Source) => void) {
    this.#changed = changed;
  }

  local(source: Source): LocalTrack {
    if (source === 'camera' || source === 'microphone') {
      const { track, on } = this.devices[source];
      return { track, muted: track === null || !on };
    }
    const tracks = source === 'screen' ? this.screen?.getVideoTracks() : this.screen?.getAudioTracks();
    const track = tracks?.[0] ?? null;
    return { track, muted: track === null };
  }

  /** Asks for both at once, so that the person is asked once; whatever of it can be had is used. */
  async open(): Promise<void> {
    const media = navigator.mediaDevices;
    if (media === undefined) {
      for (const device of ['camera', 'microphone'] as const) this.#fail(device, 'insecure');
      return;
    }
    try {
      const stream = await media.getUserMedia({ ...WANTED.camera, ...WANTED.microphone });
      for (const track of stream.getTracks()) this.#use(track.kind === 'video' ? 'camera' : 'microphone', track);
    } catch {
      await this.#acquire('microphone');
      await this.#acquire('camera');
    }
  }

  async turnOn(device: Device): Promise<void> {
    const state = this.devices[device];
    state.isWanted = true;
    if (state.track !== null && state.track.readyState === 'live') {
      state.track.enabled = true;
      state.on = true;
      this.#changed(device);
      return;
    }
    await this.#acquire(device);
  }

  /** The camera is let go, so that its light goes out; the microphone is kept, so that unmuting is instant. */
  turnOff(device: Device): void {
    const state = this.devices[device];
    state.on = false;
    state.isWanted = false;
    if (device === 'camera') {
      state.track?.stop();
      state.track = null;
    } else if (state.track !== null) {
      state.track.enabled = false;
    }
    this.#changed(device);
  }

  /** Asks which screen to share. False when the person thought better of it. */
  async shareScreen(): Promise<boolean> {
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 10, max: 15 } }, audio: true });
      if (this.#isClosed) {
        for (const track of stream.getTracks()) track.stop();
        return false;
      }
      this.screen = stream;
      for (const track of stream.getVideoTracks()) {
        track.contentHint = 'detail';
        track.onended = () => this.stopScreen();
      }
    } catch {
      return false;
    }
    this.#changed('screen');
    this.#changed('screen_audio');
    return true;
  }

  stopScreen(): void {
    for (const track of this.screen?.getTracks() ?? []) track.stop();
    this.screen = undefined;
    this.#changed('screen');
    this.#changed('screen_audio');
  }

  close(): void {
    this.#isClosed = true;
    for (const { track } of Object.values(this.devices)) track?.stop();
    for (const track of this.screen?.getTracks() ?? []) track.stop();
  }

  async #acquire(device: Device): Promise<void> {
    try {
      if (navigator.mediaDevices === undefined) return this.#fail(device, 'insecure');
      const stream = await navigator.mediaDevices.getUserMedia(WANTED[device]);
      const [track] = stream.getTracks();
      if (track !== undefined) this.#use(device, track);
    } catch (error) {
      this.#fail(device, problemOf(error));
    }
  }

  #use(device: Device, track: MediaStreamTrack): void {
    if (this.#isClosed) return track.stop();
    const state = this.devices[device];
    state.track?.stop();
    state.track = track;
    state.problem = undefined;
    track.onended = () => {
      if (state.track === track) this.#fail(device, 'unplugged');
    };
    if (!state.isWanted) return this.turnOff(device);
    state.on = true;
    this.#changed(device);
  }

  #fail(device: Device, problem: DeviceProblem): void {
    const state = this.devices[device];
    state.track = null;
    state.on = false;
    state.problem = problem;
    this.#changed(device);
  }
}
