//! Who reloads, or comes late, sees what was written before, under the right names.

import assert from 'node:assert/strict';
import test from 'node:test';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { eventually } from './support/eventually.mjs';
import { PEOPLE, devicesOf } from './support/fixtures.mjs';
import { Participant, withScreenshots } from './support/participant.mjs';
import { startServer } from './support/server.mjs';

const PATIENT = { ...PEOPLE.red, id: 'p-red', role: 'patient', name: 'Rita Red' };
const DOCTOR = { ...PEOPLE.green, id: 'p-green', role: 'provider', name: 'Dr. Gil Green' };
const NURSE = { ...PEOPLE.blue, id: 'p-blue', role: 'nurse', name: 'Bea Blue' };

/** Lines as they are read, without the time: `who: text`. */
const linesOf = (who) =>
  who.page.evaluate(() => {
    const lines = [...document.querySelector('consult-room').shadowRoot.querySelectorAll('.chat li')];
    return lines.map((line) => `${line.querySelector('.who').textContent.replace(/, [^,]*$/, '')}: ${line.querySelector('.text').textContent}`);
  });

const noteOf = (who) =>
  who.page.evaluate(() => {
    const note = document.querySelector('consult-room').shadowRoot.querySelector('.chat [role=status]');
    return note.checkVisibility() ? note.textContent : '';
  });

async function reads(who, expected) {
  await eventually(`${who.person.name} reads ${expected.length} lines`, async () => {
    const seen = await linesOf(who);
    return { ok: JSON.stringify(seen) === JSON.stringify(expected), seen };
  });
}

/** How new lines are read out. */
const logIsRead = (who, how) =>
  eventually(`new lines are ${how}`, async () => {
    const seen = await who.page.evaluate(() => document.querySelector('consult-room').shadowRoot.querySelector('.chat [role=log]').getAttribute('aria-live'));
    return { ok: seen === how, seen };
  });

async function write(who, text) {
  await who.page.evaluate((line) => {
    const root = document.querySelector('consult-room').shadowRoot;
    root.querySelector('.chat input').value = line;
    root.querySelector('.chat form').requestSubmit();
  }, text);
}

for (const [name, launch] of [
  ['chromium', async () => launchChromium(await devicesOf(PEOPLE.red))],
  ['firefox', launchFirefox],
]) {
  test(`earlier lines of the chat in ${name}`, async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const consult = await server.createConsult();
    const browser = await launch();
    t.after(() => browser.close());
    const everyone = [];
    const comes = async (person) => {
      const participant = await Participant.open(browser, person);
      everyone.push(participant);
      await participant.join(server, consult);
      await participant.waitForPhase('joined');
      return participant;
    };

    await withScreenshots(`chat-${name}`, everyone, async () => {
      const [patient, doctor] = [await comes(PATIENT), await comes(DOCTOR)];
      await write(patient, 'My knee hurts');
      await reads(doctor, ['Rita Red: My knee hurts']);
      await write(doctor, 'Since when?');
      await reads(patient, ['You: My knee hurts', 'Dr. Gil Green: Since when?']);

      const asked = [];
      doctor.page.on('request', (request) => asked.push(request));
      await doctor.page.reload();
      await doctor.waitForPhase('joined');
      await reads(doctor, ['Rita Red: My knee hurts', 'You: Since when?']);
      await write(patient, 'Since Monday');
      const all = ['Rita Red: My knee hurts', 'You: Since when?', 'Rita Red: Since Monday'];
      await reads(doctor, all);
      await logIsRead(doctor, 'polite');
      await doctor.page.evaluate(() => {
        const root = document.querySelector('consult-room').shadowRoot;
        window.linesBefore = [...root.querySelectorAll('.chat [role=log] li')];
      });
      await doctor.page.evaluate(() => document.querySelector('consult-room').reconnect());
      await write(patient, 'It is swollen');
      await reads(doctor, [...all, 'Rita Red: It is swollen']);
      const isSame = await doctor.page.evaluate(() => {
        const lines = [...document.querySelector('consult-room').shadowRoot.querySelectorAll('.chat [role=log] li')];
        return window.linesBefore.length === 3 && window.linesBefore.every((line, index) => line === lines[index]);
      });
      assert.ok(isSame, 'a line that is there is not read out again');
      assert.equal(await noteOf(doctor), '');
      await doctor.click('Chat, new messages');
      await doctor.screenshot(`chat-${name}-reloaded`);
      assert.ok(asked.some((request) => request.url().includes('/chat?after=')));
      assert.ok(asked.every((request) => !/eyJ[\w-]+\./.test(request.url())), 'no token is in a URL');
      const stored = await doctor.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
      assert.ok(!stored.includes('consilium-visit'), 'it is not stored');

      await patient.click('Leave the visit');
      await patient.waitForPhase('ended');
      const nurse = await comes(NURSE);
      const earlier = ['My knee hurts', 'Since when?', 'Since Monday', 'It is swollen'];
      const by = ['Patient who has left', 'Dr. Gil Green', 'Patient who has left', 'Patient who has left'];
      await reads(nurse, earlier.map((text, index) => `${by[index]}: ${text}`));
      assert.ok(!(await nurse.probe('buttons')).includes('Chat, new messages'), 'what was written before is no news');

      await nurse.page.setRequestInterception(true);
      nurse.page.on('request', (request) => (request.url().includes('/chat?after=') ? request.abort() : request.continue()));
      await nurse.page.reload();
      await nurse.waitForPhase('joined');
      await nurse.click('Chat');
      await eventually('it is said that earlier lines are missing', async () => {
        const seen = await noteOf(nurse);
        return { ok: seen === 'Earlier messages could not be loaded.', seen };
      });
      await nurse.screenshot(`chat-${name}-not-loaded`);
      await write(doctor, 'Come in');
      await reads(nurse, ['Dr. Gil Green: Come in']);
      assert.deepEqual(everyone.flatMap((each) => each.errors), []);
    });
    assert.ok(!server.log().includes('knee'));
  });
}
