//! A nurse who has no part in a visit breaks the glass and comes: what they do for it, and what everybody else sees.

import assert from 'node:assert/strict';
import test from 'node:test';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { startClinic, visitor } from './support/clinic.mjs';
import { eventually } from './support/eventually.mjs';
import { ARTIFACTS, PEOPLE, devicesOf } from './support/fixtures.mjs';
import { Participant } from './support/participant.mjs';
import { command } from './support/server.mjs';

const PATIENT = { name: 'Rosa Testname' };

/** A visit of a patient's with a doctor, as an EHR's back end books it. */
async function bookVisit({ server, of }) {
  const key = await command('client', 'create', ...of, '--name', 'ehr', '--scope', 'people:write', '--scope', 'consents:write', '--scope', 'appointments:write', '--scope', 'tickets:write');
  const call = async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const answer = await fetch(server.origin + path, { method, headers, body: JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  const patient = await call('POST', '/v1/people', { external_id: 'ehr-1' });
  await call('PUT', `/v1/people/${patient.id}/consents/telehealth`, {});
  const [starts_at, ends_at] = [0, 1_800_000].map((ms) => new Date(Date.now() + ms).toISOString());
  const people = [{ person_id: 'ehr-1', role: 'patient' }, { person_id: 'dr-1', role: 'provider' }];
  const visit = await call('POST', '/v1/appointments', { starts_at, ends_at, people });
  await call('POST', `/v1/appointments/${visit.id}/start`, {});
  const ticket = (person_id, role, display_name) => call('POST', `/v1/consults/${visit.consult}/tickets`, { person_id, role, display_name });
  return { patient: patient.id, consult: visit.consult, ticket };
}

/** What a page of the node's gets for a request of its own. */
const ask = (page, method, path, body) =>
  page.evaluate(async ([how, where, what]) => {
    const answer = await fetch(where, { method: how, headers: { 'content-type': 'application/json' }, body: JSON.stringify(what) });
    return { status: answer.status, ...(await answer.json()) };
  }, [method, path, body]);

const noticesOf = (who) => who.page.evaluate(() => document.querySelector('consult-room').shadowRoot.querySelector('.notices').textContent);

for (const [name, launch] of [['chromium', async () => launchChromium(await devicesOf(PEOPLE.red))], ['firefox', launchFirefox]]) {
  test(`nobody comes by break-glass unseen, with ${name}`, async (t) => {
    const clinic = await startClinic(t);
    const { server, provider, link } = clinic;
    await link('nurse-1', 'rosa', '--standing', 'nurse');
    await link('audit-1', 'somebody-else', '--tenant-role', 'auditor');
    const visit = await bookVisit(clinic);
    const browser = await launch();
    t.after(() => browser.close());
    const patient = await Participant.open(browser, PATIENT);
    await patient.goWith(server, (await visit.ticket('ehr-1', 'patient', PATIENT.name)).ticket);
    await patient.waitForPhase('joined');
    assert.equal(await noticesOf(patient), '');

    const nurse = await visitor(browser, server, provider);
    await nurse.begin('?return_to=/healthz');
    await nurse.submit('rosa', { code: provider.code });
    const door = `/v1/consults/${visit.consult}/join`;
    const refused = await ask(nurse.page, 'POST', door, { display_name: 'Kim Testname' });
    assert.deepEqual([refused.status, refused.code], [403, 'not_concerned']);
    const glass = await ask(nurse.page, 'POST', '/v1/break-glass', { patient: visit.patient, reason: 'collapsed during the visit, doctor lost' });
    assert.equal(glass.status, 201, JSON.stringify(glass));
    const ticket = await ask(nurse.page, 'POST', door, { display_name: 'Kim Testname' });
    assert.equal(ticket.status, 201, JSON.stringify(ticket));
    const inside = await Participant.open(browser, { name: 'Kim Testname' });
    await inside.goWith(server, ticket.ticket);
    await inside.waitForPhase('joined');
    await eventually('the patient is told who came and how', async () => {
      const seen = await noticesOf(patient);
      return { ok: /Kim Testname \(nurse\) is here by emergency access/.test(seen), seen };
    });
    assert.match(await noticesOf(inside), /You are here by emergency access/);
    await patient.page.screenshot({ path: `${ARTIFACTS}break-glass-${name}.png` });

    const auditor = await visitor(browser, server, provider);
    await auditor.begin('?return_to=/healthz');
    await auditor.submit('somebody-else', { code: provider.code });
    const closed = await ask(auditor.page, 'POST', `/v1/break-glass/${glass.id}/close`, {});
    assert.equal(closed.state, 'closed', JSON.stringify(closed));
    await inside.waitForPhase('ended');
    await eventually('the patient is alone again', async () => {
      const seen = await noticesOf(patient);
      return { ok: seen === '', seen };
    });
    for (const who of [patient, inside]) assert.deepEqual(who.errors, []);
    for (const who of [nurse, auditor]) await who.close();
  });
}
