//! A doctor mutes somebody: that person's page turns the microphone off and says who did, and they turn it on again themselves. Until
//! then it stays off, also when the page is loaded again.

import assert from 'node:assert/strict';
import test from 'node:test';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { eventually } from './support/eventually.mjs';
import { PEOPLE, devicesOf } from './support/fixtures.mjs';
import { Participant, withScreenshots } from './support/participant.mjs';
import { installSlowDevices } from './support/probe.mjs';
import { startServer } from './support/server.mjs';

const PATIENT = { ...PEOPLE.red, id: 'p-red', role: 'patient', name: 'Rita Red' };
const DOCTOR = { ...PEOPLE.green, id: 'p-green', role: 'provider', name: 'Dr. Gil Green' };

/** The buttons on the tiles of others. */
const actsOf = (who) =>
  who.page.evaluate(() => {
    const buttons = [...document.querySelector('consult-room').shadowRoot.querySelectorAll('.tile:not([hidden]) .acts button')];
    return buttons.filter((button) => button.checkVisibility()).map((button) => button.getAttribute('aria-label')).sort();
  });

/** What the page says of its own microphone, and of the other's. */
const soundOf = (who) =>
  who.page.evaluate(() => {
    const room = document.querySelector('consult-room').shadowRoot;
    const silent = room.querySelector('.tile:not([hidden]) .silent');
    return { own: room.querySelector('.control.microphone').textContent, other: silent?.checkVisibility() ? 'off' : 'on' };
  });

const sounds = (who, own, other) =>
  eventually(`${who.person.name} has ${own} and sees the other ${other}`, async () => {
    const seen = await soundOf(who);
    return { ok: seen.own === own && seen.other === other, seen };
  });

const muteByStaff = (doctor) => doctor.page.evaluate(() => document.querySelector('consult-room').shadowRoot.querySelector('[aria-label="Mute Rita Red"]').click());

/** How long the devices of a page that is loaded again take: they come before or after what the server says of them. */
const DEVICES_OPEN_AFTER_MS = [0, 1_500];
/** Fifty packets, if somebody were heard. */
const SILENCE_MS = 1_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The patient's camera, and so the microphone, is open and seen; and not one packet of sound has come since there were `packets`. */
async function isSeenAndNotHeard(patient, doctor, packets) {
  await eventually('the devices are open', async () => {
    const seen = await patient.probe('buttons');
    return { ok: seen.includes('Turn camera off'), seen };
  });
  await doctor.waitForFrames(1);
  await sounds(patient, 'Unmute', 'on');
  await sounds(doctor, 'Mute', 'off');
  await pause(SILENCE_MS);
  assert.equal(await doctor.probe('soundPackets'), packets, 'packets of sound');
}

/** With the frequency of the fake microphone. */
const BROWSERS = [
  ['chromium', async () => launchChromium(await devicesOf(PEOPLE.red)), PEOPLE.red.toneHz],
  ['firefox', launchFirefox, 1_000],
];

/** Patient and doctor, in a visit of a server of their own. */
async function meet(t, launch) {
  const server = await startServer();
  t.after(() => server.stop());
  const consult = await server.createConsult();
  const browser = await launch();
  t.after(() => browser.close());
  return Participant.openAll(browser, [PATIENT, DOCTOR], server, consult);
}

for (const [name, launch, toneHz] of BROWSERS) {
  test(`who is muted by staff is told by whom and unmutes themselves, with ${name}`, async (t) => {
    const everyone = await meet(t, launch);
    await withScreenshots(`mute-${name}`, everyone, async () => {
      const [patient, doctor] = everyone;
      await sounds(patient, 'Mute', 'on');
      await sounds(doctor, 'Mute', 'on');
      assert.deepEqual(await actsOf(patient), [], 'not for a patient to do');
      assert.deepEqual(await actsOf(doctor), ['Mute Rita Red', 'Remove Rita Red']);
      await muteByStaff(doctor);
      await sounds(patient, 'Unmute', 'on');
      await sounds(doctor, 'Mute', 'off');
      assert.deepEqual(await actsOf(doctor), ['Remove Rita Red'], 'who is silent is not muted');
      const said = await patient.page.evaluate(() => document.querySelector('consult-room').shadowRoot.querySelector('.notices').textContent);
      assert.equal(said, 'Dr. Gil Green has muted your microphone. Press Unmute when you want to speak.');
      await patient.click('Unmute microphone');
      await sounds(patient, 'Mute', 'on');
      await sounds(doctor, 'Mute', 'on');
      for (const who of everyone) assert.deepEqual(who.errors, []);
    });
  });

  test(`who was muted by staff stays so when the page is loaded again, until they unmute themselves, with ${name}`, async (t) => {
    const everyone = await meet(t, launch);
    await withScreenshots(`mute-reload-${name}`, everyone, async () => {
      const [patient, doctor] = everyone;
      await doctor.waitToHear([{ name: PATIENT.name, toneHz }]);
      await muteByStaff(doctor);
      await sounds(patient, 'Unmute', 'on');
      await sounds(doctor, 'Mute', 'off');
      await pause(SILENCE_MS);
      const packets = await doctor.probe('soundPackets');
      assert.ok(packets > 0);
      for (const ms of DEVICES_OPEN_AFTER_MS) {
        await patient.page.evaluateOnNewDocument(installSlowDevices, ms);
        await patient.page.reload();
        await patient.waitForPhase('joined');
        await eventually('the page says why', async () => {
          const seen = await patient.probe('notices');
          return { ok: seen.endsWith('has muted your microphone. Press Unmute when you want to speak.'), seen };
        });
        await isSeenAndNotHeard(patient, doctor, packets);
      }
      await patient.page.evaluate(() => window.socketWrap.sockets.at(-1).close());
      await eventually('a second connection', async () => {
        const seen = await patient.page.evaluate(() => window.socketWrap.sockets.length);
        return { ok: seen === 2, seen };
      });
      await patient.waitForPhase('joined');
      await isSeenAndNotHeard(patient, doctor, packets);
      await patient.click('Unmute microphone');
      await sounds(patient, 'Mute', 'on');
      await sounds(doctor, 'Mute', 'on');
      await doctor.waitToHear([{ name: PATIENT.name, toneHz }]);
      await patient.page.reload();
      await sounds(patient, 'Mute', 'on');
      await sounds(doctor, 'Mute', 'on');
      for (const who of everyone) assert.deepEqual(who.errors, []);
    });
  });
}
