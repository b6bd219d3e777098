//! While layouts come two seconds late and people come and go, no colour ever stands under another person's name.

import assert from 'node:assert/strict';
import test from 'node:test';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { eventually } from './support/eventually.mjs';
import { PEOPLE, devicesOf } from './support/fixtures.mjs';
import { Participant, personOfColour, withScreenshots } from './support/participant.mjs';
import { installPaintedCamera } from './support/probe.mjs';
import { startServer } from './support/server.mjs';

const LAYOUT_DELAY_MS = 2_000;
const SWAPS = 8;
const GUESTS = [
  { ...PEOPLE.red, id: 'p-red', role: 'patient', name: 'Rita Red' },
  { ...PEOPLE.green, id: 'p-green', role: 'guardian', name: 'Gus Green' },
  { ...PEOPLE.blue, id: 'p-blue', role: 'interpreter', name: 'Bea Blue' },
  { ...PEOPLE.yellow, id: 'p-yellow', role: 'nurse', name: 'Yan Yellow' },
];

async function comeAndGo(t, name, launchWatcher) {
  const server = await startServer();
  t.after(() => server.stop());
  const consult = await server.createConsult();
  const [watcherBrowser, guestBrowser] = [await launchWatcher(), await launchChromium({})];
  t.after(() => Promise.all([watcherBrowser.close(), guestBrowser.close()]));
  const watcher = await Participant.open(watcherBrowser, { id: 'p-watch', role: 'provider', name: 'Dr. Wen Watch', colour: 'watcher' }, { layoutDelayMs: LAYOUT_DELAY_MS });
  const guests = [];
  for (const person of GUESTS) guests.push(await Participant.open(guestBrowser, person, { install: installPaintedCamera, installArgument: person.rgb }));

  const seen = new Map();
  let pictures = 0;
  const check = async () => {
    for (const [label, ...rgb] of await watcher.probe('samples')) {
      pictures += 1;
      const person = personOfColour(rgb, GUESTS);
      assert.equal(person?.name, label, `rgb(${rgb.join()}) stood under the name ${label}`);
      seen.set(label, (seen.get(label) ?? 0) + 1);
    }
  };

  await withScreenshots(name, [watcher, ...guests], async () => {
    await watcher.join(server, consult);
    await watcher.waitForPhase('joined');
    await watcher.probe('watch');
    for (const guest of guests.slice(0, 2)) {
      await guest.join(server, consult);
      await guest.waitForPhase('joined');
    }
    await watcher.waitToSee(GUESTS.slice(0, 2));
    for (let swap = 0; swap < SWAPS; swap += 1) {
      const [leaving, coming] = [guests[swap % 4], guests[(swap + 2) % 4]];
      const ticket = await server.ticket(consult, coming.person);
      // Both at once, so that the slot that falls free is filled again while the layout still names the one who left.
      await Promise.all([leaving.click('Leave the visit'), coming.goWith(server, ticket)]);
      await coming.waitForPhase('joined');
      if (swap % 2 === 1) await watcher.waitToSee([guests[(swap + 1) % 4].person, coming.person]);
      await check();
    }
    await eventually('every guest has been seen', async () => {
      await check();
      return { ok: seen.size === GUESTS.length, seen: Object.fromEntries(seen) };
    });
    const delayed = await watcher.page.evaluate(() => window.socketWrap.delayed);
    assert.ok(delayed >= SWAPS, `only ${delayed} layouts were delayed`);
    assert.ok(pictures > 200, `only ${pictures} pictures were looked at`);
    t.diagnostic(`${pictures} pictures under ${seen.size} names, ${delayed} layouts delayed`);
  });
}

test('layouts two seconds late, seen in Chromium', async (t) => {
  await comeAndGo(t, 'late-chromium', async () => launchChromium(await devicesOf(PEOPLE.red)));
});

test('layouts two seconds late, seen in Firefox', (t) => comeAndGo(t, 'late-firefox', launchFirefox));
