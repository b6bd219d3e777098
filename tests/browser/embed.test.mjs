//! The visit in a frame of somebody else's page, and the page that guest links lead to, in real browsers.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { eventually } from './support/eventually.mjs';
import { PEOPLE, devicesOf } from './support/fixtures.mjs';
import { Participant, withScreenshots } from './support/participant.mjs';
import { command, startConfigured } from './support/server.mjs';

const ROSA = { role: 'patient', person_id: 'ehr-1', display_name: 'Rosa Red' };
const SCOPES = ['appointments:write', 'consents:write', 'consults:create', 'consults:write', 'people:write', 'tickets:write'];
const REDEEM = '/v1/guest-links/redeem';

/** A node with one tenant, and what its back end does. */
async function startClinic(t) {
  const data = await mkdtemp(join(tmpdir(), 'consilium-embed-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const config = join(data, 'consilium.toml');
  await writeFile(config, `listen = "127.0.0.1:0"\ndata = "${data}"\nshards = 1\n\n[media]\nport = 0\nbind_v4 = "127.0.0.1"\nbind_v6 = "::1"\n`);
  await command('tenant', 'create', '--config', config, 'clinic');
  const key = await command('client', 'create', '--config', config, '--tenant', 'clinic', '--name', 'ehr', ...SCOPES.flatMap((scope) => ['--scope', scope]));
  return { config, key, addPortal: (origin) => command('tenant', 'origins', '--config', config, '--tenant', 'clinic', '--add', origin) };
}

function backEnd(origin, key) {
  async function call(method, path, body) {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetch(origin + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
  return {
    call,
    ticket: async () => {
      const { id } = await call('POST', '/v1/consults', {});
      return (await call('POST', `/v1/consults/${id}/tickets`, ROSA)).ticket;
    },
    appointment: async () => {
      const { id } = await call('POST', '/v1/people', { external_id: ROSA.person_id });
      await call('PUT', `/v1/people/${id}/consents/telehealth`);
      const inMinutes = (minutes) => new Date(Date.now() + minutes * 60_000).toISOString();
      const people = [{ person_id: ROSA.person_id, role: ROSA.role }];
      return call('POST', '/v1/appointments', { starts_at: inMinutes(1), ends_at: inMinutes(31), people });
    },
  };
}

/** In the portal's page: hands over a ticket when it is asked for one, and remembers what it was told. */
function portalScript(node) {
  const frame = document.querySelector('iframe');
  window.heard = [];
  window.say = (message) => frame.contentWindow.postMessage(message, node);
  window.addEventListener('message', async (event) => {
    if (event.origin !== node || event.source !== frame.contentWindow) return;
    window.heard.push(event.data);
    if (event.data.type !== 'consilium-ticket-needed') return;
    window.say({ type: 'consilium-ticket', ticket: await (await fetch('/ticket', { method: 'POST' })).text() });
  });
}

/** A clinic's portal on an origin of its own. */
async function startPortal(t) {
  const portal = { node: '', ticket: async () => '' };
  const server = createServer(async (request, response) => {
    if (request.url === '/ticket') return response.end(await portal.ticket());
    response.setHeader('content-type', 'text/html; charset=utf-8');
    const frame = `<iframe src="${portal.node}/embed/clinic#visit-1" allow="camera; microphone; display-capture" style="width: 960px; height: 640px"></iframe>`;
    response.end(`<!doctype html><meta charset="utf-8"><title>Portal</title><link rel="icon" href="data:,"><h1>Northfield Clinic</h1>${frame}<script>(${portalScript})(${JSON.stringify(portal.node)})</script>`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  portal.origin = `http://127.0.0.1:${server.address().port}`;
  return portal;
}

const heard = (page) => page.evaluate(() => window.heard.map(({ type, reason }) => (reason === undefined ? type : `${type} ${reason}`)));

async function hears(page, expected) {
  await eventually(`the portal hears ${expected.join()}`, async () => {
    const seen = await heard(page);
    return { ok: seen.join() === expected.join(), seen };
  });
}

/** The frame that shows the visit, if one does. */
async function visitOf(page) {
  for (const frame of page.frames().slice(1)) {
    if (await frame.$('consult-room').catch(() => null)) return frame;
  }
  return undefined;
}

/** Camera and microphone are given into the frame, and media flows. */
async function isConnected(visit) {
  await eventually('the visit in the frame is connected', async () => {
    const [notices, status] = await visit.evaluate(() => [window.probe.notices(), window.probe.status()]);
    return { ok: notices === '' && status.startsWith('Connected'), seen: `${status} ${notices}` };
  });
}

for (const [name, launch] of [
  ['chromium', async () => launchChromium(await devicesOf(PEOPLE.red))],
  ['firefox', launchFirefox],
]) {
  test(`pages of portals and guests in ${name}`, async (t) => {
    const clinic = await startClinic(t);
    const [portal, stranger] = [await startPortal(t), await startPortal(t)];
    await clinic.addPortal(portal.origin);
    const server = await startConfigured(clinic.config);
    t.after(() => server.stop());
    const ehr = backEnd(server.origin, clinic.key);
    for (const each of [portal, stranger]) Object.assign(each, { node: server.origin, ticket: ehr.ticket });
    const browser = await launch();
    t.after(() => browser.close());
    const open = () => Participant.open(browser, { name: ROSA.display_name, colour: name });

    await t.test('a portal frames the visit, hands over the ticket and is told how it goes', async () => {
      const who = await open();
      const asked = [];
      who.page.on('request', (request) => asked.push(request.url()));
      await withScreenshots(`embed-${name}`, [who], async () => {
        await who.page.goto(portal.origin);
        await hears(who.page, ['consilium-ready', 'consilium-ticket-needed', 'consilium-joined']);
        const visit = await visitOf(who.page);
        assert.equal(await visit.evaluate(() => document.querySelector('consult-room').phase), 'joined');
        await isConnected(visit);
        await who.screenshot(`embed-${name}`);
        await who.page.reload();
        await hears(who.page, ['consilium-ready', 'consilium-joined']);
        // Who leaves before ICE is through is told by Firefox that it failed.
        await isConnected(await visitOf(who.page));
        await who.page.evaluate(() => window.say({ type: 'consilium-leave' }));
        await hears(who.page, ['consilium-ready', 'consilium-joined', 'consilium-left left']);
        assert.ok(asked.every((url) => !url.includes('ticket=') && !/eyJ[\w-]+\./.test(url)), 'no ticket is in a URL');
      });
      assert.deepEqual(who.errors, []);
      await who.page.close();
    });

    await t.test('a page of an origin that is not listed cannot frame it', async () => {
      const who = await open();
      const answered = who.page.waitForResponse((each) => each.url().includes('/embed/clinic'));
      await who.page.goto(stranger.origin);
      const policy = (await answered).headers()['content-security-policy'];
      assert.match(policy, new RegExp(`frame-ancestors 'self' ${portal.origin};`));
      assert.equal(await visitOf(who.page), undefined);
      assert.deepEqual(await heard(who.page), []);
      await who.screenshot(`embed-${name}-stranger`);
      assert.equal((await fetch(`${server.origin}/embed/nowhere`)).status, 404);
      await who.page.close();
    });

    await t.test('a guest link redeems nothing until its button is pressed, and then leads into the waiting room', async () => {
      const { id } = await ehr.appointment();
      const links = `/v1/appointments/${id}/guest-links`;
      const { id: link, code } = await ehr.call('POST', links, ROSA);
      const who = await open();
      const redeemed = [];
      who.page.on('request', (request) => request.url().endsWith(REDEEM) && redeemed.push(request.method()));
      const shown = (selector) => who.page.$eval(selector, (each) => (each.checkVisibility() ? each.textContent : ''));
      await withScreenshots(`guest-${name}`, [who], async () => {
        const page = await who.page.goto(`${server.origin}/guest#${code}`);
        assert.match(page.headers()['content-security-policy'], /frame-ancestors 'none'/);
        await who.page.waitForSelector('#join', { visible: true });
        assert.equal(who.page.url(), `${server.origin}/guest`, 'the code is gone from the address bar');
        await who.screenshot(`guest-${name}`);
        await who.page.reload();
        await who.page.waitForSelector('#join', { visible: true });
        assert.deepEqual(redeemed, [], 'looking at it burns nothing');
        await who.page.click('#join');
        await who.waitForPhase('waiting');
        assert.deepEqual(redeemed, ['POST']);
        await who.screenshot(`guest-${name}-waiting`);
        await who.click('Leave the visit');
        await who.waitForPhase('ended');
        await eventually('who has left may come again', async () => {
          const seen = await shown('#join');
          return { ok: seen === 'Join again', seen };
        });
        await who.screenshot(`guest-${name}-left`);
        // A link rests for two seconds after it was redeemed.
        await eventually('the button joins again', async () => {
          if (await shown('#join')) await who.page.click('#join');
          const seen = await who.probe('phase');
          return { ok: seen === 'waiting', seen };
        });
        await who.page.reload();
        await who.page.waitForSelector('#join', { visible: true });
        await ehr.call('DELETE', `${links}/${link}`);
        await who.page.click('#join');
        await eventually('why it does not open is told in plain words', async () => {
          const seen = await shown('#problem');
          return { ok: seen.includes('not valid'), seen };
        });
        await who.screenshot(`guest-${name}-refused`);
        const other = await open();
        await other.page.goto(`${server.origin}/guest`);
        await eventually('without a code there is nothing to press', async () => {
          const seen = await other.page.$eval('#door', (each) => each.innerText);
          return { ok: seen.includes('open the link again') && !seen.includes('Join'), seen };
        });
        await other.page.close();
      });
      assert.deepEqual(who.errors, []);
      await who.page.close();
    });

    assert.ok(!server.log().includes(ROSA.display_name));
  });
}
