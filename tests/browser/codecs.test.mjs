//! Which codec is sent, passed through and decoded; that everyone present can decode it; and that a sender is told what the path bears.

import assert from 'node:assert/strict';
import test from 'node:test';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { eventually } from './support/eventually.mjs';
import { PEOPLE } from './support/fixtures.mjs';
import { Participant, withScreenshots } from './support/participant.mjs';
import { installBusyCamera, installPaintedCamera, installSendCodecs } from './support/probe.mjs';
import { startServer } from './support/server.mjs';

const PATIENT = { ...PEOPLE.red, id: 'p-red', role: 'patient', name: 'Rita Red' };
const DOCTOR = { ...PEOPLE.green, id: 'p-green', role: 'provider', name: 'Dr. Gil Green' };
const FOX = { ...PEOPLE.blue, id: 'p-blue', role: 'interpreter', name: 'Fay Fox' };

/** A Chromium whose transport-cc goes unanswered is down to 30 kbit/s after 12 s. */
const STARVED_AFTER_MS = 15_000;
const MEASURED_MS = 2_000;
const FED_KBITS_MIN = 100;

let server;
let chromium;
test.before(async () => {
  server = await startServer();
  chromium = await launchChromium({});
});
test.after(async () => {
  await chromium?.close();
  await server?.stop();
});

/** A page in a context of its own, that sends video in `codecs`. */
async function painted(t, person, { codecs, on = chromium, install = installPaintedCamera } = {}) {
  const context = await on.createBrowserContext();
  t.after(() => context.close());
  const participant = await Participant.open(context, person, { install, installArgument: person.rgb });
  if (codecs !== undefined) await participant.page.evaluateOnNewDocument(installSendCodecs, codecs);
  return participant;
}

async function joinAll(consult, participants) {
  for (const each of participants) {
    await each.join(server, consult);
    await each.waitForPhase('joined');
  }
}

/** Everyone sees everyone else in the right colour, and goes on doing so. */
async function allSeeAll(participants) {
  for (const each of participants) {
    const others = participants.filter((other) => other !== each);
    await each.waitToSee(others.map((other) => other.person));
    await each.waitForFrames(others.length);
  }
}

async function waitForSending(participant, codec) {
  await eventually(`${participant.person.name} sends ${codec}`, async () => {
    const seen = await participant.probe('sending');
    return { ok: seen?.codec === `video/${codec}`, seen };
  });
}

async function waitForReceiving(participant, codecs) {
  const wanted = codecs.map((codec) => `video/${codec}`).sort();
  await eventually(`${participant.person.name} decodes ${codecs.join(' and ')}`, async () => {
    const seen = await participant.probe('receiving');
    return { ok: Object.values(seen).sort().join() === wanted.join(), seen };
  });
}

function reoffersOf(participant) {
  return participant.page.evaluate(() => window.socketWrap.reoffers);
}

for (const codec of ['VP8', 'VP9', 'H264', 'AV1']) {
  test(`${codec} is negotiated, sent, passed through and decoded`, async (t) => {
    const both = [await painted(t, PATIENT, { codecs: [codec] }), await painted(t, DOCTOR, { codecs: [codec] })];
    await withScreenshots(`codec-${codec}`, both, async () => {
      await joinAll(await server.createConsult(), both);
      await allSeeAll(both);
      for (const each of both) {
        await waitForSending(each, codec);
        await waitForReceiving(each, [codec]);
      }
    });
    assert.deepEqual(both.flatMap((each) => each.errors), []);
  });
}

test('who prefers H264, with a Firefox that cannot decode it', async (t) => {
  const firefox = await launchFirefox();
  t.after(() => firefox.close());

  /** The patient prefers H264; the Firefox has nothing narrowed. */
  async function three(s) {
    return [await painted(s, PATIENT, { codecs: ['H264', 'VP8'] }), await painted(s, DOCTOR, { codecs: ['VP8'] }), await painted(s, FOX, { on: firefox })];
  }

  await t.test('sends what the Firefox decodes when it was there first', async (s) => {
    const [patient, doctor, fox] = await three(s);
    await withScreenshots('firefox-first', [patient, doctor, fox], async () => {
      await joinAll(await server.createConsult(), [fox, doctor, patient]);
      await allSeeAll([patient, doctor, fox]);
      await waitForSending(patient, 'VP8');
      await waitForReceiving(fox, ['VP8', 'VP8']);
      assert.deepEqual(await reoffersOf(patient), [], 'the first answer was right already');
    });
  });

  await t.test('is asked to offer again when the Firefox joins later, and nobody loses the picture', async (s) => {
    const [patient, doctor, fox] = await three(s);
    await withScreenshots('firefox-later', [patient, doctor, fox], async () => {
      const consult = await server.createConsult();
      await joinAll(consult, [patient, doctor]);
      await allSeeAll([patient, doctor]);
      await waitForSending(patient, 'H264');
      await waitForReceiving(doctor, ['H264']);
      const began = Date.now();
      await joinAll(consult, [fox]);
      await waitForSending(patient, 'VP8');
      await fox.waitToSee([PATIENT, DOCTOR]);
      s.diagnostic(`the Firefox saw everyone ${Date.now() - began} ms after it set out`);
      await allSeeAll([patient, doctor, fox]);
      await waitForReceiving(fox, ['VP8', 'VP8']);
      await waitForReceiving(doctor, ['VP8', 'VP8']);
      assert.deepEqual(await reoffersOf(patient), ['codec']);
    });
  });
});

test('a sender is told what the path bears, and goes on at full rate', async (t) => {
  const both = [await painted(t, PATIENT, { install: installBusyCamera }), await painted(t, DOCTOR)];
  const [patient, doctor] = both;
  await withScreenshots('bitrate', both, async () => {
    await joinAll(await server.createConsult(), both);
    await doctor.waitToSee([PATIENT]);
    const first = await patient.probe('sending');
    const past = (since, ms) =>
      eventually(`${ms} ms of sending`, async () => {
        const seen = await patient.probe('sending');
        return { ok: seen.atMs - since.atMs >= ms, seen };
      });
    const before = await past(first, STARVED_AFTER_MS);
    const after = await past(before, MEASURED_MS);
    const kbits = (8 * (after.bytes - before.bytes)) / (after.atMs - before.atMs);
    const figures = `sent ${Math.round(kbits)} kbit/s, target ${after.targetBitrate} bit/s, path ${after.availableBitrate} bit/s`;
    t.diagnostic(figures);
    assert.ok(Math.min(kbits, after.targetBitrate / 1_000, after.availableBitrate / 1_000) > FED_KBITS_MIN, figures);
    await doctor.waitForFrames(1);
  });
});
