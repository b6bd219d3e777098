//! A doctor sends somebody out: what they do for it, what that person's page says, and that the others see them no more.

import assert from 'node:assert/strict';
import test from 'node:test';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { eventually } from './support/eventually.mjs';
import { PEOPLE, devicesOf } from './support/fixtures.mjs';
import { Participant, withScreenshots } from './support/participant.mjs';
import { startServer } from './support/server.mjs';

const PATIENT = { ...PEOPLE.red, id: 'p-red', role: 'patient', name: 'Rita Red' };
const DOCTOR = { ...PEOPLE.green, id: 'p-green', role: 'provider', name: 'Dr. Gil Green' };
const GUEST = { ...PEOPLE.blue, id: 'p-blue', role: 'interpreter', name: 'Bo Blue' };

/** The buttons with which somebody could be sent out. */
const offersOf = (who) =>
  who.page.evaluate(() => {
    const buttons = [...document.querySelector('consult-room').shadowRoot.querySelectorAll('.tile:not([hidden]) .acts button')];
    const names = buttons.filter((button) => button.checkVisibility()).map((button) => button.getAttribute('aria-label') ?? button.textContent);
    return names.filter((name) => !name.startsWith('Mute'));
  });

const press = (who, label) =>
  who.page.evaluate((wanted) => {
    const buttons = [...document.querySelector('consult-room').shadowRoot.querySelectorAll('.tile:not([hidden]) .acts button')];
    buttons.find((button) => button.checkVisibility() && (button.getAttribute('aria-label') ?? button.textContent) === wanted).click();
  }, label);

/** What has the focus. */
const focusOf = (who) =>
  who.page.evaluate(() => {
    const focused = document.querySelector('consult-room').shadowRoot.activeElement;
    return focused?.getAttribute('aria-label') ?? focused?.textContent;
  });

const nameOfQuestion = (who) =>
  who.page.evaluate(() => document.querySelector('consult-room').shadowRoot.querySelector('[role=alertdialog]:not([hidden])').getAttribute('aria-label'));

const namesOf = (who) =>
  who.page.evaluate(() => {
    const tiles = [...document.querySelector('consult-room').shadowRoot.querySelectorAll('.tile:not([hidden])')];
    return tiles.map((tile) => tile.getAttribute('aria-label')).sort();
  });

for (const [name, launch] of [['chromium', async () => launchChromium(await devicesOf(PEOPLE.red))], ['firefox', launchFirefox]]) {
  test(`who is sent out is gone for everybody and told so, with ${name}`, async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const consult = await server.createConsult();
    const browser = await launch();
    t.after(() => browser.close());
    const everyone = await Participant.openAll(browser, [PATIENT, DOCTOR, GUEST], server, consult);
    await withScreenshots(`remove-${name}`, everyone, async () => {
      const [patient, doctor, guest] = everyone;
      const sees = (who, names) =>
        eventually(`${who.person.name} sees ${names.length}`, async () => {
          const seen = await namesOf(who);
          return { ok: JSON.stringify(seen) === JSON.stringify(names), seen };
        });
      await sees(patient, ['Bo Blue', 'Dr. Gil Green']);
      await sees(doctor, ['Bo Blue', 'Rita Red']);
      assert.deepEqual(await offersOf(patient), [], 'not for a patient to do');
      await press(doctor, 'Remove Bo Blue');
      assert.deepEqual((await offersOf(doctor)).sort(), ['Keep', 'Remove', 'Remove Rita Red'], 'asked back first');
      assert.match(await nameOfQuestion(doctor), /^Remove Bo Blue from the visit\?/);
      assert.equal(await focusOf(doctor), 'Keep');
      await press(doctor, 'Keep');
      assert.equal(await focusOf(doctor), 'Remove Bo Blue', 'back where it was');
      await press(doctor, 'Remove Bo Blue');
      await doctor.click('Chat');
      await press(doctor, 'Keep');
      assert.equal(await focusOf(doctor), 'Message to everyone', 'nobody is torn away who writes elsewhere');
      await sees(patient, ['Bo Blue', 'Dr. Gil Green']);
      await press(doctor, 'Remove Bo Blue');
      await press(doctor, 'Remove');

      await guest.waitForPhase('ended');
      const said = await guest.page.evaluate(() => document.querySelector('consult-room').shadowRoot.querySelector('.card').textContent);
      assert.match(said, /You are no longer in the visit.*removed you from this visit/);
      await sees(patient, ['Dr. Gil Green']);
      await sees(doctor, ['Rita Red']);
      for (const who of everyone) assert.deepEqual(who.errors, []);
    });
  });
}
