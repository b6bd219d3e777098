//! Patient, doctor and interpreter in three browsers of their own: everyone sees and hears the other two.

import assert from 'node:assert/strict';
import test from 'node:test';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { PEOPLE, devicesOf } from './support/fixtures.mjs';
import { Participant, withScreenshots } from './support/participant.mjs';
import { startServer } from './support/server.mjs';

const PATIENT = { ...PEOPLE.red, id: 'p-red', role: 'patient', name: 'Rita Red' };
const DOCTOR = { ...PEOPLE.green, id: 'p-green', role: 'provider', name: 'Dr. Gil Green' };
const INTERPRETER = { ...PEOPLE.blue, id: 'p-blue', role: 'interpreter', name: 'Bea Blue' };
/** Firefox has a picture and a tone of its own. */
const FIREFOX_INTERPRETER = { colour: 'firefox', toneHz: 1000, id: 'p-fox', role: 'interpreter', name: 'Fay Fox' };

async function chromiumOf(person) {
  return launchChromium(await devicesOf(person));
}

async function meet(t, name, interpreter, launchInterpreter) {
  const server = await startServer();
  t.after(() => server.stop());
  const consult = await server.createConsult();
  const everyone = [];
  for (const [person, launch] of [[PATIENT, () => chromiumOf(PATIENT)], [DOCTOR, () => chromiumOf(DOCTOR)], [interpreter, launchInterpreter]]) {
    const browser = await launch();
    t.after(() => browser.close());
    const participant = await Participant.open(browser, person);
    everyone.push(participant);
    await participant.join(server, consult);
    await participant.waitForPhase('joined');
  }
  const othersOf = (one, among = everyone) => among.filter((each) => each !== one).map((each) => each.person);
  const [patient, doctor, third] = everyone;

  await withScreenshots(name, everyone, async () => {
    await t.test('everyone decodes the other two, under the right names', async () => {
      for (const each of everyone) {
        await each.waitToSee(othersOf(each));
        await each.waitForFrames(2);
      }
      for (const each of everyone) await each.screenshot(`${name}-${each.person.colour}`);
    });
    await t.test('everyone hears the other two', async () => {
      for (const each of everyone) await each.waitToHear(othersOf(each));
    });
    await t.test('the others go on when one leaves and comes back', async () => {
      await third.click('Leave the visit');
      await third.waitForPhase('ended');
      await patient.waitToSee([DOCTOR]);
      await doctor.waitToSee([PATIENT]);
      await patient.waitForFrames(1);
      await third.join(server, consult);
      for (const each of everyone) {
        await each.waitToSee(othersOf(each));
        await each.waitForFrames(2);
      }
    });
    await t.test('a shared screen arrives as a third picture and goes again', async () => {
      await doctor.click('Share screen');
      for (const each of [patient, third]) {
        await each.waitForScreenOf(DOCTOR.name);
        await each.waitForFrames(3);
        await each.screenshot(`${name}-screen-${each.person.colour}`);
      }
      await doctor.click('Stop sharing screen');
      for (const each of [patient, third]) await each.waitToSee(othersOf(each));
    });
    assert.deepEqual(everyone.flatMap((each) => each.errors), []);
  });
}

test('three Chromiums', (t) => meet(t, 'chromium', INTERPRETER, () => chromiumOf(INTERPRETER)));

test('two Chromiums and a Firefox', (t) => meet(t, 'firefox', FIREFOX_INTERPRETER, launchFirefox));
