//! Bad tickets, broken lines, reloads and missing devices: what the person sees, and that the others notice nothing.

import assert from 'node:assert/strict';
import test from 'node:test';

import { launchChromium } from './support/browsers.mjs';
import { eventually } from './support/eventually.mjs';
import { PEOPLE } from './support/fixtures.mjs';
import { Participant, withScreenshots } from './support/participant.mjs';
import { installPaintedCamera, installPlainDevices } from './support/probe.mjs';
import { startServer } from './support/server.mjs';

const PATIENT = { ...PEOPLE.red, id: 'p-red', role: 'patient', name: 'Rita Red' };
const DOCTOR = { ...PEOPLE.green, id: 'p-green', role: 'provider', name: 'Dr. Gil Green' };
const GUEST = { ...PEOPLE.blue, id: 'p-blue', role: 'guardian', name: 'Bea Blue' };

/** Tickets are good for their lifetime and a leeway for clocks that differ. */
const EXPIRED_AFTER_MS = 62_000;

let server;
let browser;
let expiring;
test.before(async () => {
  server = await startServer();
  expiring = { ...(await server.mint(await server.createConsult(), PATIENT, { expires_in_s: 1 })), mintedAt: Date.now() };
  browser = await launchChromium({});
});
test.after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page in a context of its own: nothing is shared with other people's tabs. */
async function painted(t, person, on = browser) {
  const context = await on.createBrowserContext();
  t.after(() => context.close());
  return Participant.open(context, person, { install: installPaintedCamera, installArgument: person.rgb });
}

/** Patient and doctor in a consult, each seeing the other. */
async function pair(t) {
  const consult = await server.createConsult();
  const both = [await painted(t, PATIENT), await painted(t, DOCTOR)];
  for (const each of both) {
    await each.join(server, consult);
    await each.waitForPhase('joined');
  }
  const [patient, doctor] = both;
  await patient.waitToSee([DOCTOR]);
  await doctor.waitToSee([PATIENT]);
  return { consult, patient, doctor };
}

async function waitForCard(participant, pattern) {
  await eventually(`${participant.person.name} reads ${pattern}`, async () => {
    const seen = await participant.probe('card');
    return { ok: pattern.test(seen), seen };
  });
}

test('a wrong ticket says so in plain words', async (t) => {
  const patient = await painted(t, PATIENT);
  await patient.goWith(server, 'not-a-ticket');
  await waitForCard(patient, /link is not valid/);
  await patient.screenshot('ticket-invalid');
  assert.equal(await patient.probe('phase'), 'ended');
});

test('a ticket that is withdrawn sends its holder away, and opens nothing', async (t) => {
  const { consult, doctor } = await pair(t);
  const [guest, late] = [await painted(t, GUEST), await painted(t, GUEST)];
  const { id, ticket } = await server.mint(consult, GUEST);
  await guest.goWith(server, ticket);
  await guest.waitForPhase('joined');
  await doctor.waitToSee([PATIENT, GUEST]);
  await server.revoke(consult, id);
  await waitForCard(guest, /withdrawn/);
  await late.goWith(server, ticket);
  await waitForCard(late, /withdrawn/);
  await doctor.waitToSee([PATIENT]);
});

test('who waits is let in by staff', async (t) => {
  const consult = await server.createConsult({ waiting_room: true });
  const [patient, doctor] = [await painted(t, PATIENT), await painted(t, DOCTOR)];
  await patient.join(server, consult);
  await patient.waitForPhase('waiting');
  await doctor.join(server, consult);
  await doctor.waitForPhase('joined');
  await eventually('the doctor is asked', async () => {
    const seen = await doctor.probe('buttons');
    return { ok: seen.includes(`Let in ${PATIENT.name}`), seen };
  });
  assert.deepEqual(await doctor.probe('tiles'), []);
  await doctor.click(`Let in ${PATIENT.name}`);
  await patient.waitForPhase('joined');
  await patient.waitToSee([DOCTOR]);
  await doctor.waitToSee([PATIENT]);
});

test('the end of the consult is told to everyone', async (t) => {
  const { consult, patient, doctor } = await pair(t);
  await server.endConsult(consult);
  for (const each of [patient, doctor]) await waitForCard(each, /The visit has ended/);
});

test('chat reaches everyone', async (t) => {
  const { patient, doctor } = await pair(t);
  await patient.click('Chat');
  await patient.page.keyboard.type('Good morning');
  await patient.page.keyboard.press('Enter');
  for (const each of [patient, doctor]) {
    await eventually(`${each.person.name} reads it`, async () => {
      const seen = await each.page.evaluate(() => [...document.querySelector('consult-room').shadowRoot.querySelectorAll('.chat li')].map((line) => line.textContent));
      return { ok: seen.length === 1 && seen[0].endsWith('Good morning'), seen };
    });
  }
});

test('a ticket leaves the address bar as soon as it was read', async (t) => {
  const patient = await painted(t, PATIENT);
  await patient.join(server, await server.createConsult());
  await patient.waitForPhase('joined');
  assert.equal(patient.page.url(), `${server.origin}/portal/`);
});

test('a second tab with the same ticket is refused, and the first goes on', async (t) => {
  const consult = await server.createConsult();
  const ticket = await server.ticket(consult, PATIENT);
  const [first, second, doctor] = [await painted(t, PATIENT), await painted(t, PATIENT), await painted(t, DOCTOR)];
  await first.goWith(server, ticket);
  await first.waitForPhase('joined');
  await second.goWith(server, ticket);
  await waitForCard(second, /already been used/);
  await doctor.join(server, consult);
  await doctor.waitToSee([PATIENT]);
  assert.equal(await first.probe('phase'), 'joined');
});

test('who comes back with a fresh ticket replaces the earlier connection, which is told so', async (t) => {
  const { consult, patient, doctor } = await pair(t);
  const again = await painted(t, PATIENT);
  await again.join(server, consult);
  await again.waitForPhase('joined');
  await waitForCard(patient, /another tab/);
  await doctor.waitToSee([PATIENT]);
  await again.waitToSee([DOCTOR]);
});

test('a cut line comes back by itself', async (t) => {
  const { patient, doctor } = await pair(t);
  await withScreenshots('cut', [patient, doctor], async () => {
    await patient.page.evaluate(() => window.socketWrap.sockets.at(-1).close());
    await eventually('a second connection', async () => {
      const seen = await patient.page.evaluate(() => window.socketWrap.sockets.length);
      return { ok: seen === 2, seen };
    });
    await patient.waitForPhase('joined');
    await patient.waitToSee([DOCTOR]);
    await patient.waitForFrames(1);
    await doctor.waitToSee([PATIENT]);
    await doctor.waitForFrames(1);
  });
});

test('a reload goes back into the visit', async (t) => {
  const { patient, doctor } = await pair(t);
  await withScreenshots('reload', [patient, doctor], async () => {
    await patient.page.reload();
    await patient.waitForPhase('joined');
    await patient.waitToSee([DOCTOR]);
    await doctor.waitToSee([PATIENT]);
    await doctor.waitForFrames(1);
  });
});

test('an ICE restart changes the path and loses nobody', async (t) => {
  const { patient, doctor } = await pair(t);
  await withScreenshots('restart', [patient, doctor], async () => {
    const before = await patient.probe('localUfrag');
    assert.ok(before);
    await patient.page.evaluate(() => document.querySelector('consult-room').restartPath());
    await eventually('new ICE credentials', async () => {
      const seen = await patient.probe('localUfrag');
      return { ok: seen !== undefined && seen !== before, seen };
    });
    await patient.waitForFrames(1);
    await doctor.waitForFrames(1);
    assert.equal(await patient.page.evaluate(() => window.socketWrap.sockets.length), 1, 'the line was not cut for it');
  });
});

test('a camera that is turned off leaves name and initials, and comes back', async (t) => {
  const { patient, doctor } = await pair(t);
  await patient.click('Turn camera off');
  await eventually('the doctor sees no picture', async () => {
    const seen = await doctor.probe('tiles');
    return { ok: seen.length === 1 && !seen[0].hasPicture && seen[0].name === PATIENT.name, seen };
  });
  await patient.click('Turn camera on');
  await doctor.waitToSee([PATIENT]);
});

for (const [what, options, words] of [
  ['refuses camera and microphone', { allow: false }, /camera may not be used/],
  ['has neither camera nor microphone', { devices: false }, /No camera was found/],
]) {
  test(`who ${what} joins anyway, is told, and sees the others`, async (t) => {
    const without = await launchChromium(options);
    t.after(() => without.close());
    const consult = await server.createConsult();
    const patient = await Participant.open(without, PATIENT, { install: installPlainDevices });
    const doctor = await painted(t, DOCTOR);
    await withScreenshots('no-devices', [patient, doctor], async () => {
      for (const each of [patient, doctor]) {
        await each.join(server, consult);
        await each.waitForPhase('joined');
      }
      await patient.waitToSee([DOCTOR]);
      assert.match(await patient.probe('notices'), words);
      await patient.screenshot(`no-devices-${options.allow === false ? 'refused' : 'missing'}`);
      const [tile] = await doctor.probe('tiles');
      assert.deepEqual([tile.name, tile.hasPicture], [PATIENT.name, false]);
    });
  });
}

test('a link of dev mode survives reloads', async (t) => {
  const patient = await painted(t, PATIENT);
  await patient.page.goto(`${server.origin}/portal/#patient`);
  await patient.waitForPhase('joined');
  await patient.page.reload();
  await patient.waitForPhase('joined');
});

// Last, because by now most of the time has passed.
test('an expired ticket says so', async (t) => {
  const patient = await painted(t, PATIENT);
  await eventually('the ticket has expired', () => ({ ok: Date.now() > expiring.mintedAt + EXPIRED_AFTER_MS, seen: Date.now() - expiring.mintedAt }), EXPIRED_AFTER_MS + 1_000);
  await patient.goWith(server, expiring.ticket);
  await waitForCard(patient, /expired/);
});
