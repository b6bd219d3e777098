//! People sign in at a certified OpenID provider, in real browsers: what they see, and what the browser keeps.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { launchChromium, launchFirefox } from './support/browsers.mjs';
import { startClinic, visitor } from './support/clinic.mjs';

const ARTIFACTS = fileURLToPath(new URL('.artifacts/', import.meta.url));
const COOKIE = '__Host-consilium_session';

for (const [name, launch] of [['chromium', () => launchChromium({ devices: false })], ['firefox', launchFirefox]]) {
  test(`people sign in with ${name}`, async (t) => {
    const { server, provider, link, signIn } = await startClinic(t);
    const rosa = await link('ehr-1', 'rosa', '--standing', 'provider', '--tenant-role', 'admin');
    const browser = await launch();
    t.after(() => browser.close());
    await mkdir(ARTIFACTS, { recursive: true });
    const picture = (who, what) => who.page.screenshot({ path: join(ARTIFACTS, `sign-in-${name}-${what}.png`) });

    await t.test('an account that is linked to nobody is told what to do, and calling it off is no sign-in', async () => {
      const who = await visitor(browser, server, provider);
      await who.begin();
      await who.submit('somebody-else');
      assert.equal(await who.heading(), 'You are not signed in');
      assert.match(await who.text(), /somebody-else[^]*nobody_linked/);
      await picture(who, 'nobody-linked');
      await who.close();
      const other = await visitor(browser, server, provider);
      await other.begin();
      await other.submit('rosa', { answer: 'no' });
      assert.match(await other.text(), /provider_refused/);
      await other.close();
    });

    await t.test('somebody signs in, sees as what, and signs out', async () => {
      const who = await visitor(browser, server, provider);
      await who.begin();
      await who.submit('rosa');
      assert.equal(await who.heading(), 'You are signed in');
      assert.equal(who.page.url(), `${server.origin}/v1/signed-in`);
      await picture(who, 'signed-in');
      assert.match(await who.text(), /clinic[^]*provider, admin[^]*one factor/);
      const session = await who.session();
      assert.deepEqual([session.person, session.standing, session.tenant_role, session.mfa], [rosa, 'provider', 'admin', false]);
      const cookies = await who.cookies();
      const kept = cookies.find((each) => each.name === COOKIE);
      assert.deepEqual([kept.secure, kept.httpOnly, kept.sameSite, kept.path, kept.session], [true, true, 'Lax', '/', true]);
      assert.ok(!cookies.some((each) => each.name === '__Host-consilium_sign_in'), 'nothing is left of the way there');
      await who.follow('form button');
      assert.equal(await who.heading(), 'You are signed out');
      await picture(who, 'signed-out');
      assert.equal((await who.session()).code, 'signed_out');
      assert.ok(!(await who.cookies()).some((each) => each.name === COOKIE));
      await who.close();
    });

    await t.test('no page of somebody else has it in a frame', async () => {
      const who = await visitor(browser, server, provider);
      await who.page.goto(`${provider.issuer}/.well-known/openid-configuration`);
      const framed = who.page.waitForResponse((each) => each.url().endsWith('/v1/sign-in/clinic'));
      await who.page.evaluate((url) => {
        const frame = document.createElement('iframe');
        frame.src = url;
        document.body.append(frame);
      }, `${server.origin}/v1/sign-in/clinic`);
      const answer = await framed;
      assert.deepEqual([answer.status(), answer.headers()['x-frame-options']], [403, 'DENY']);
      await who.close();
    });

    await t.test('a clinic that asks for a second factor gets one, and somebody goes where they wanted', async () => {
      await signIn('--mfa-required');
      const who = await visitor(browser, server, provider);
      await who.begin();
      await who.submit('rosa');
      assert.match(await who.text(), /mfa_needed/);
      await picture(who, 'mfa-needed');
      await who.close();
      const again = await visitor(browser, server, provider);
      await again.begin('?return_to=/healthz');
      await again.submit('rosa', { code: provider.code });
      assert.equal(again.page.url(), `${server.origin}/healthz`);
      await again.page.goto(`${server.origin}/v1/signed-in`);
      assert.match(await again.text(), /second factor/);
      assert.equal((await again.session()).mfa, true);
      await again.close();
    });

    assert.deepEqual(provider.errors, []);
    assert.ok(!server.log().includes('rosa') && !server.log().includes('somebody-else'), 'no log says who');
  });
}
