//! A doctor mutes somebody: that person's page turns the microphone off and says who did, and they turn it on again themselves.

import assert from 'node:assert/strict';
import test from 'node:test';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { eventually } from './support/eventually.mjs';
import { PEOPLE, devicesOf } from './support/fixtures.mjs';
import { Participant, withScreenshots } from './support/participant.mjs';
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

for (const [name, launch] of [['chromium', async () => launchChromium(await devicesOf(PEOPLE.red))], ['firefox', launchFirefox]]) {
  test(`who is muted by staff is told by whom and unmutes themselves, with ${name}`, async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const consult = await server.createConsult();
    const browser = await launch();
    t.after(() => browser.close());
    const everyone = await Participant.openAll(browser, [PATIENT, DOCTOR], server, consult);
    await withScreenshots(`mute-${name}`, everyone, async () => {
      const [patient, doctor] = everyone;
      await sounds(patient, 'Mute', 'on');
      await sounds(doctor, 'Mute', 'on');
      assert.deepEqual(await actsOf(patient), [], 'not for a patient to do');
      assert.deepEqual(await actsOf(doctor), ['Mute Rita Red', 'Remove Rita Red']);
      await doctor.page.evaluate(() => document.querySelector('consult-room').shadowRoot.querySelector('[aria-label="Mute Rita Red"]').click());
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
}
