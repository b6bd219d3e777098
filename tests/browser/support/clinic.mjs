//! A clinic whose people sign in at a certified OpenID provider.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CLIENT, startProvider } from './oidc-provider.mjs';
import { command, startConfigured } from './server.mjs';

/** Its node and its provider, and ways to say who is who. */
export async function startClinic(t) {
  const data = await mkdtemp(join(tmpdir(), 'consilium-sign-in-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const config = join(data, 'consilium.toml');
  await writeFile(config, `listen = "127.0.0.1:0"\ndata = "${data}"\nshards = 1\nsign_in_networks = ["127.0.0.0/8"]\n\n[media]\nport = 0\nbind_v4 = "127.0.0.1"\nbind_v6 = "::1"\n`);
  await writeFile(join(data, 'secret'), `${CLIENT.secret}\n`);
  await command('tenant', 'create', '--config', config, 'clinic');
  const server = await startConfigured(config);
  t.after(() => server.stop());
  const provider = await startProvider(`${server.origin}/v1/sign-in/clinic/callback`);
  t.after(() => provider.stop());
  const of = ['--config', config, '--tenant', 'clinic'];
  const signIn = (...more) => command('tenant', 'sign-in', ...of, '--issuer', provider.issuer, '--client-id', CLIENT.id, '--secret-file', join(data, 'secret'), ...more);
  await signIn();
  /** Links an account of the provider's to somebody, by the id of the EHR's; their id of ours. */
  const link = async (externalId, account, ...roles) => {
    const person = await command('person', 'link', ...of, '--external-id', externalId, '--issuer', provider.issuer, '--subject', account);
    await command('person', 'role', ...of, '--external-id', externalId, ...roles);
    return person;
  };
  return { server, provider, link, signIn, of };
}

/** Somebody with a browser that knows nobody yet. */
export async function visitor(browser, server, provider) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const follow = (selector) => Promise.all([page.waitForNavigation(), page.click(selector)]);
  return {
    page,
    follow,
    close: () => context.close(),
    cookies: () => context.cookies(),
    begin: (query = '') => page.goto(`${server.origin}/v1/sign-in/clinic${query}`),
    heading: () => page.$eval('h1', (each) => each.textContent),
    text: () => page.evaluate(() => document.body.innerText),
    /** Asked by another page of the node's: those of signing in may ask for nothing. */
    session: async () => {
      const script = await context.newPage();
      await script.goto(`${server.origin}/healthz`);
      const answer = await script.evaluate(async () => (await fetch('/v1/session')).json());
      await script.close();
      return answer;
    },
    /** Says who they are on the provider's page. */
    submit: async (account, { code = '', answer = 'yes' } = {}) => {
      assert.equal(await page.$eval('h1', (each) => each.textContent), 'Clinic sign-in');
      await page.type('input[name=account]', account);
      await page.type('input[name=password]', provider.password);
      if (code !== '') await page.type('input[name=code]', code);
      await follow(`button[value=${answer}]`);
    },
  };
}
