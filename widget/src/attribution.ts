//! Whose picture is this frame, whose sound is this? Decides what a slot may show. Pure.
//!
//! `layout` says whom a slot shows, over the WebSocket; every packet says the same by its CSRC, over UDP.
//! The two race. A frame is shown, and sound is heard, only where both agree: no name stands on another's face.

/** One entry of `RTCRtpReceiver.getContributingSources()`. */
export interface Contribution {
  /** CSRC: the publisher's number. */
  source: number;
  /** When a packet of this source was last played, in ms. */
  timestamp: number;
  /** RTP timestamp of the newest frame of this source that was handed to the player. */
  rtpTimestamp: number;
}

/** Whether RTP timestamp `a` is later than `b` (RFC 3550 §5.1: modulo 2^32). */
export function rtpAfter(a: number, b: number): boolean {
  return a !== b && ((a - b) >>> 0) < 0x8000_0000;
}

/** The source whose packet was handed out last. */
export function newestSource(sources: readonly Contribution[]): number | undefined {
  let newest: Contribution | undefined;
  for (const each of sources) {
    const isNewer =
      newest === undefined ||
      each.timestamp > newest.timestamp ||
      (each.timestamp === newest.timestamp && rtpAfter(each.rtpTimestamp, newest.rtpTimestamp));
    if (isNewer) newest = each;
  }
  return newest?.source;
}

/** Whether it can be told whose frame has this RTP timestamp. Firefox vouches for a frame one frame later. */
export function isVouchedFor(sources: readonly Contribution[], rtpTimestamp: number): boolean {
  return sources.some((each) => !rtpAfter(rtpTimestamp, each.rtpTimestamp));
}

/**
 * Whose frame has this RTP timestamp: a slot has one timeline for life, so the frame belongs to the source that ends
 * the stretch it lies in. `undefined` when it is newer than everything known, because then nobody has vouched for it yet.
 */
export function sourceOfFrame(sources: readonly Contribution[], rtpTimestamp: number): number | undefined {
  let owner: Contribution | undefined;
  for (const each of sources) {
    if (rtpAfter(rtpTimestamp, each.rtpTimestamp)) continue;
    if (owner === undefined || rtpAfter(owner.rtpTimestamp, each.rtpTimestamp)) owner = each;
  }
  return owner?.source;
}

export interface SlotState {
  /** Whom the newest layout puts here, and whether the picture is announced as live. */
  readonly expected: number | undefined;
  readonly pictureLive: boolean;
  /** Whose picture is on display now. Never other than `expected`. */
  readonly shown: number | undefined;
  /** Whether the sound may be heard. */
  readonly audible: boolean;
  /** The newest source at the previous frame, for browsers that give frames no RTP timestamp. */
  readonly previousNewest: number | undefined;
}

export const EMPTY_SLOT: SlotState = { expected: undefined, pictureLive: false, shown: undefined, audible: false, previousNewest: undefined };

export type SlotEvent =
  | { type: 'layout'; publisher: number | undefined; pictureLive: boolean }
  /** A frame is about to be shown. */
  | { type: 'frame'; sources: readonly Contribution[]; rtpTimestamp: number | undefined }
  /** Nothing new to show; is what is shown still right? */
  | { type: 'pictureCheck'; sources: readonly Contribution[] }
  | { type: 'soundCheck'; sources: readonly Contribution[] };

/** What a slot may show and sound like after an event. */
export function reduceSlot(state: SlotState, event: SlotEvent): SlotState {
  switch (event.type) {
    case 'layout': {
      const isSame = event.publisher === state.expected;
      const keepsPicture = isSame && event.pictureLive;
      return {
        ...state,
        expected: event.publisher,
        pictureLive: event.pictureLive,
        shown: keepsPicture ? state.shown : undefined,
        audible: isSame && event.publisher !== undefined && state.audible,
      };
    }
    case 'frame': {
      const newest = newestSource(event.sources);
      const mayShow = state.pictureLive && state.expected !== undefined && newest === state.expected;
      const shown = mayShow && frameOwner(state, event, newest) === state.expected ? state.expected : undefined;
      return { ...state, shown, previousNewest: newest };
    }
    case 'pictureCheck': {
      const newest = newestSource(event.sources);
      // Entries expire after ten seconds without packets; a still picture stays as long as nobody else's has come.
      const isStillRight = newest === undefined || newest === state.shown;
      return isStillRight ? state : { ...state, shown: undefined };
    }
    case 'soundCheck': {
      const newest = newestSource(event.sources);
      return { ...state, audible: newest !== undefined && newest === state.expected };
    }
  }
}

function frameOwner(state: SlotState, event: Extract<SlotEvent, { type: 'frame' }>, newest: number | undefined): number | undefined {
  if (event.rtpTimestamp !== undefined) return sourceOfFrame(event.sources, event.rtpTimestamp);
  // Without a timestamp the frame on display may be the last one of whoever was here before: wait for one more.
  return state.previousNewest === newest ? newest : undefined;
}
