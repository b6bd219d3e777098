//! The page alone, against a node that lives inside it: what people read, press and see. Needs no server.

import assert from 'node:assert/strict';
import test from 'node:test';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { eventually } from './support/eventually.mjs';
import { CSRC_FLAG, installFakeNode } from './support/fake-node.mjs';
import { PEOPLE, devicesOf } from './support/fixtures.mjs';
import { Participant, personOfColour, withScreenshots } from './support/participant.mjs';
import { serveSite } from './support/static-site.mjs';

const DOCTOR = { participant: 1, role: 'provider', display_name: 'Dr. Wei Chen' };
const MARIA = { participant: 2, role: 'patient', display_name: 'Maria da Silva', rgb: PEOPLE.red.rgb };
const JOANA = { participant: 3, role: 'interpreter', display_name: 'Joana Reis', rgb: PEOPLE.green.rgb };
const BOTH = { 'camera-0': 2, 'camera-1': 3 };
const ALL_LIVE = { 1: ['camera', 'microphone'], 2: ['camera', 'microphone'], 3: ['camera', 'microphone'] };

for (const [name, launch] of [
  ['chromium', async () => launchChromium({ ...(await devicesOf(PEOPLE.blue)), args: [CSRC_FLAG] })],
  ['firefox', launchFirefox],
]) {
  test(`the page in ${name}`, async (t) => {
    const site = await serveSite();
    t.after(() => site.close());
    const browser = await launch();
    t.after(() => browser.close());

    async function open({ waiting = false } = {}) {
      const room = await Participant.open(browser, { name: DOCTOR.display_name, colour: name }, { install: installFakeNode, installArgument: { people: [MARIA, JOANA], me: DOCTOR, waiting } });
      // A policy violation is a console message only: make it count.
      await room.page.evaluateOnNewDocument(() => {
        window.violations = [];
        document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
      });
      await room.page.goto(`${site.origin}/portal/#provider`);
      return room;
    }

    async function step(room, what, run) {
      await t.test(what, () => withScreenshots(`page-${name}`, [room], run));
    }

    const room = await open();
    async function connected(who) {
      await eventually('the status says that media flows', async () => {
        const seen = await who.probe('status');
        return { ok: seen === 'Connected. Nobody else is here yet', seen };
      });
    }

    await step(room, 'someone who is alone is told that they are in', async () => {
      await room.waitForPhase('joined');
      await connected(room);
      await room.screenshot(`page-${name}-alone`);
    });

    await step(room, 'each picture stands under its name', async () => {
      await room.page.evaluate((slots, live) => window.fakeNode.arrange(slots, live), BOTH, ALL_LIVE);
      await room.waitToSee([{ name: MARIA.display_name, rgb: MARIA.rgb }, { name: JOANA.display_name, rgb: JOANA.rgb }]);
      await room.screenshot(`page-${name}-three`);
    });

    await step(room, 'a slot whose media has gone to someone else shows nothing until its layout comes', async () => {
      await room.page.evaluate((live) => window.fakeNode.arrange({ 'camera-0': 3, 'camera-1': 2 }, live, { tellLayout: false }), ALL_LIVE);
      await eventually('both pictures are hidden', async () => {
        const seen = await room.probe('tiles');
        return { ok: seen.length === 2 && seen.every((tile) => !tile.hasPicture && !tile.isAudible), seen };
      });
      await room.page.evaluate((live) => window.fakeNode.tellLayout({ 'camera-0': 3, 'camera-1': 2 }, live), ALL_LIVE);
      await room.waitToSee([{ name: MARIA.display_name, rgb: MARIA.rgb }, { name: JOANA.display_name, rgb: JOANA.rgb }]);
    });

    await step(room, 'staff sees who waits and lets them in', async () => {
      await room.page.evaluate(() => window.fakeNode.say({ type: 'lobby', waiting: [{ participant: 4, role: 'guardian', display_name: 'Pedro da Silva' }] }));
      await room.click('Let in Pedro da Silva');
      await eventually('the node was asked', async () => {
        const seen = await room.page.evaluate(() => window.fakeNode.received.filter((each) => each.type === 'admit'));
        return { ok: seen.length === 1 && seen[0].participant === 4, seen };
      });
    });

    await step(room, 'chat lines are shown as text, whoever wrote them', async () => {
      await room.page.evaluate(() => window.fakeNode.say({ type: 'chat', id: 'an-id', from: 2, text: '<img src=x onerror=alert(1)>', at_ms: Date.now() }));
      await eventually('the chat button says that there is news', async () => {
        const seen = await room.probe('buttons');
        return { ok: seen.includes('Chat, new messages'), seen };
      });
      await room.click('Chat, new messages');
      await room.page.keyboard.type('Good morning');
      await room.page.keyboard.press('Enter');
      await eventually('both lines', async () => {
        const seen = await room.page.evaluate(() => [...document.querySelector('consult-room').shadowRoot.querySelectorAll('.chat .text')].map((each) => each.textContent));
        return { ok: seen.join() === '<img src=x onerror=alert(1)>,Good morning', seen };
      });
      const live = { ...ALL_LIVE, 2: ['camera', 'microphone', 'screen'], 3: [] };
      await room.page.evaluate((arranged) => window.fakeNode.arrange({ 'camera-0': 3, 'camera-1': 2, 'screen-0': 2 }, arranged), live);
      await room.waitForScreenOf(MARIA.display_name);
      await room.screenshot(`page-${name}-screen-and-chat`);
    });

    await step(room, 'every button has a name', async () => {
      for (const button of await room.probe('buttons')) assert.ok(button.length > 3, button);
    });

    await step(room, 'a camera that is pulled out is told, and can be turned on again', async () => {
      await room.page.evaluate(() => {
        const [track] = document.querySelector('consult-room').shadowRoot.querySelector('.self video').srcObject.getVideoTracks();
        track.dispatchEvent(new Event('ended'));
      });
      assert.match(await room.probe('notices'), /camera was disconnected/);
      await room.screenshot(`page-${name}-unplugged`);
      await room.click('Turn camera on');
      await eventually('the notice is gone and the node knows', async () => {
        const mutes = await room.page.evaluate(() => window.fakeNode.received.filter((each) => each.type === 'mute' && each.source === 'camera').map((each) => each.muted));
        const seen = { notices: await room.probe('notices'), mutes };
        return { ok: seen.notices === '' && mutes.slice(-2).join() === 'true,false', seen };
      });
    });

    await step(room, 'a broken line comes back with the resume token', async () => {
      await room.page.evaluate(() => window.fakeNode.sockets[0].close(1006));
      await eventually('hello with the token', async () => {
        const seen = await room.page.evaluate(() => window.fakeNode.received.filter((each) => each.type === 'hello'));
        return { ok: seen.length === 2 && seen[1].resume_token === 'again' && (await room.probe('phase')) === 'joined', seen };
      });
    });

    await step(room, 'the end is told in plain words', async () => {
      await room.page.evaluate(() => {
        window.fakeNode.say({ type: 'leave', reason: 'consult_ended' });
        window.fakeNode.sockets[0].close(1000);
      });
      await room.waitForPhase('ended');
      assert.match(await room.probe('card'), /The visit has ended/);
      await room.screenshot(`page-${name}-ended`);
      assert.deepEqual(await room.page.evaluate(() => window.violations), []);
      assert.deepEqual(room.errors, []);
    });

    const waiting = await open({ waiting: true });
    await step(waiting, 'the waiting room says what it is, and opens', async () => {
      await waiting.waitForPhase('waiting');
      assert.match(await waiting.probe('card'), /waiting room/);
      await waiting.screenshot(`page-${name}-waiting`);
      await waiting.page.evaluate(() => window.fakeNode.welcome());
      await waiting.waitForPhase('joined');
      await connected(waiting);
      await waiting.page.setViewport({ width: 400, height: 760 });
      await waiting.page.evaluate((slots, live) => window.fakeNode.arrange(slots, live), BOTH, ALL_LIVE);
      await waiting.waitToSee([{ name: MARIA.display_name, rgb: MARIA.rgb }, { name: JOANA.display_name, rgb: JOANA.rgb }]);
      await waiting.screenshot(`page-${name}-phone`);
    });
  });
}

test('with real CSRCs and late layouts no colour stands under another name at any frame', async (t) => {
  const site = await serveSite();
  t.after(() => site.close());
  const browser = await launchChromium({ ...(await devicesOf(PEOPLE.blue)), args: [CSRC_FLAG] });
  t.after(() => browser.close());
  const room = await Participant.open(browser, { name: DOCTOR.display_name, colour: 'late' }, { install: installFakeNode, installArgument: { people: [MARIA, JOANA], me: DOCTOR, waiting: false } });
  await room.page.goto(`${site.origin}/portal/#provider`);
  await withScreenshots('late', [room], async () => {
    await eventually('media flows', async () => {
      const seen = await room.probe('status');
      return { ok: seen.startsWith('Connected'), seen };
    });
    await room.probe('watch');
    const faces = [MARIA, JOANA].map(({ display_name, rgb }) => ({ name: display_name, rgb }));
    const arrange = (slots, options) => room.page.evaluate((...args) => window.fakeNode.arrange(...args), slots, ALL_LIVE, options);
    const crossed = { 'camera-0': 3, 'camera-1': 2 };
    await arrange(BOTH);
    for (let swap = 0; swap < 10; swap += 1) {
      await room.waitToSee(faces);
      const slots = swap % 2 === 0 ? crossed : BOTH;
      const isMediaFirst = swap % 4 < 2;
      if (isMediaFirst) await arrange(slots, { tellLayout: false });
      else await room.page.evaluate((...args) => window.fakeNode.tellLayout(...args), slots, ALL_LIVE);
      await eventually('nothing is shown while the two disagree', async () => {
        const seen = await room.probe('tiles');
        return { ok: seen.length === 2 && seen.every((tile) => !tile.hasPicture), seen };
      });
      await arrange(slots);
    }
    await room.waitToSee(faces);
    const samples = await room.probe('samples');
    const wrong = samples.filter(([name, ...rgb]) => personOfColour(rgb, faces)?.name !== name);
    assert.deepEqual(wrong, [], `of ${samples.length} pictures`);
    assert.ok(samples.length > 200, `only ${samples.length} pictures were looked at`);
    t.diagnostic(`${samples.length} pictures looked at`);
  });
});
