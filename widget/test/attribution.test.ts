//! No wrong name on a face: what a slot shows under every order in which layout and media can arrive.

import assert from 'node:assert/strict';
import test from 'node:test';

import { EMPTY_SLOT, isVouchedFor, newestSource, reduceSlot, rtpAfter, sourceOfFrame, type Contribution, type SlotEvent, type SlotState } from '../src/attribution.js';

const ANA = 1;
const BEN = 2;

function entry(source: number, timestamp: number, rtpTimestamp: number): Contribution {
  return { source, timestamp, rtpTimestamp };
}

function run(events: SlotEvent[], start: SlotState = EMPTY_SLOT): SlotState {
  return events.reduce(reduceSlot, start);
}

function layout(publisher: number | undefined, pictureLive = true): SlotEvent {
  return { type: 'layout', publisher, pictureLive };
}

function frame(sources: Contribution[], rtpTimestamp?: number): SlotEvent {
  return { type: 'frame', sources, rtpTimestamp };
}

test('a picture is shown only once layout and CSRC name the same person', () => {
  const fromAna = [entry(ANA, 10, 900)];
  assert.equal(run([frame(fromAna, 900)]).shown, undefined, 'no layout yet');
  assert.equal(run([layout(BEN), frame(fromAna, 900)]).shown, undefined, 'layout names another');
  assert.equal(run([layout(ANA), frame(fromAna, 900)]).shown, ANA);
  assert.equal(run([layout(ANA), frame([], 900)]).shown, undefined, 'no CSRC at all');
});

test('a frame that comes before its layout hides the picture until the layout is there', () => {
  const showsAna = run([layout(ANA), frame([entry(ANA, 10, 900)], 900)]);
  const benCame = [entry(ANA, 10, 900), entry(BEN, 20, 1800)];
  const hidden = run([frame(benCame, 1800)], showsAna);
  assert.equal(hidden.shown, undefined);
  assert.equal(run([layout(BEN), frame([entry(ANA, 10, 900), entry(BEN, 30, 2700)], 2700)], hidden).shown, BEN);
});

test('a layout that comes before its frames hides the picture until they are there', () => {
  const showsAna = run([layout(ANA), frame([entry(ANA, 10, 900)], 900)]);
  const pointed = run([layout(BEN)], showsAna);
  assert.equal(pointed.shown, undefined);
  assert.equal(run([frame([entry(ANA, 15, 1000)], 1000)], pointed).shown, undefined, 'a late frame of the earlier person');
});

test('the last frame of the earlier person is not shown when the CSRC is already the new one', () => {
  const both = [entry(ANA, 10, 900), entry(BEN, 20, 1800)];
  assert.equal(run([layout(BEN), frame(both, 900)]).shown, undefined);
  assert.equal(run([layout(BEN), frame(both, 1800)]).shown, BEN);
});

test('without RTP timestamps a picture waits for a second frame of the same person', () => {
  const both = [entry(ANA, 10, 900), entry(BEN, 20, 1800)];
  const first = run([layout(BEN), frame([entry(ANA, 10, 900)]), frame(both)]);
  assert.equal(first.shown, undefined);
  assert.equal(run([frame(both)], first).shown, BEN);
});

test('a camera that is off shows nothing, whatever comes', () => {
  assert.equal(run([layout(ANA, false), frame([entry(ANA, 10, 900)], 900)]).shown, undefined);
  const shows = run([layout(ANA), frame([entry(ANA, 10, 900)], 900)]);
  assert.equal(run([layout(ANA, false)], shows).shown, undefined);
});

test('a still picture stays while nobody else sends, also after its CSRC has expired', () => {
  const shows = run([layout(ANA), frame([entry(ANA, 10, 900)], 900)]);
  assert.equal(run([{ type: 'pictureCheck', sources: [] }], shows).shown, ANA);
  assert.equal(run([{ type: 'pictureCheck', sources: [entry(ANA, 10, 900), entry(BEN, 11, 901)] }], shows).shown, undefined);
});

test('sound is heard only from the person whom the layout names', () => {
  const heard = run([layout(ANA), { type: 'soundCheck', sources: [entry(ANA, 10, 480)] }]);
  assert.equal(heard.audible, true);
  assert.equal(run([layout(BEN)], heard).audible, false, 'silent at once when the slot is re-pointed');
  assert.equal(run([{ type: 'soundCheck', sources: [entry(ANA, 10, 480), entry(BEN, 20, 960)] }], heard).audible, false);
  assert.equal(run([layout(undefined)], heard).audible, false);
});

test('with layouts two seconds late no frame ever stands under another name', () => {
  // Media re-points 200 times between four people at random moments; each layout arrives 2 s later.
  let seed = 7;
  const draw = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const newest = new Map<number, Contribution>();
  let state = EMPTY_SLOT;
  let onAir = 1;
  let shownFrames = 0;
  const layouts: { at: number; publisher: number }[] = [{ at: 0, publisher: 1 }];
  for (let at = 0; at < 600_000; at += 33) {
    if (draw(90) === 0) {
      onAir = 1 + draw(4);
      layouts.push({ at: at + 2_000, publisher: onAir });
    }
    while (layouts[0] !== undefined && layouts[0].at <= at) state = reduceSlot(state, layout(layouts.shift()?.publisher));
    const rtpTimestamp = (4_294_000_000 + at * 90) >>> 0;
    newest.set(onAir, entry(onAir, at, rtpTimestamp));
    for (const [source, each] of newest) if (at - each.timestamp > 10_000) newest.delete(source);
    state = reduceSlot(state, frame([...newest.values()], rtpTimestamp));
    if (state.shown !== undefined) {
      shownFrames += 1;
      assert.equal(state.shown, onAir, `at ${at} ms`);
      assert.equal(state.expected, onAir, `at ${at} ms`);
    }
  }
  assert.ok(shownFrames > 1_000, `only ${shownFrames} frames were shown`);
});

test('RTP timestamps compare across their wrap', () => {
  assert.ok(rtpAfter(5, 4_294_967_290));
  assert.ok(!rtpAfter(4_294_967_290, 5));
  assert.ok(!rtpAfter(5, 5));
  assert.equal(sourceOfFrame([entry(ANA, 1, 4_294_967_000), entry(BEN, 2, 3_000)], 4_294_967_100), BEN);
});

test('a frame newer than every CSRC known belongs to nobody yet', () => {
  assert.equal(sourceOfFrame([entry(ANA, 10, 900)], 901), undefined);
  assert.equal(sourceOfFrame([entry(ANA, 10, 900)], 899), ANA);
  assert.equal(isVouchedFor([entry(ANA, 10, 900)], 901), false);
  assert.equal(isVouchedFor([entry(ANA, 10, 900)], 900), true);
  assert.equal(run([layout(ANA), frame([entry(ANA, 10, 900)], 901)]).shown, undefined);
});

test('of two sources with one clock reading the later RTP timestamp is newer', () => {
  assert.equal(newestSource([entry(ANA, 10, 900), entry(BEN, 10, 901)]), BEN);
  assert.equal(newestSource([entry(BEN, 10, 901), entry(ANA, 10, 900)]), BEN);
  assert.equal(newestSource([]), undefined);
});
