//! A certified OpenID provider on this machine, with accounts of the test's own: whoever gives a code besides the password has shown
//! two factors.

import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const PASSWORD = 'correct horse';
const CODE = '246810';
export const CLIENT = { id: 'consilium', secret: 'a-secret-of-the-test-that-is-long-enough' };

function form(action, wrong) {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Clinic sign-in</title><h1>Clinic sign-in</h1>
<p>${wrong ? 'That is not right.' : ''}</p><form method="post" action="${action}">
<p><label>Account <input name="account"></label><p><label>Password <input name="password" type="password"></label>
<p><label>Code, if you have one <input name="code"></label><p><button name="answer" value="yes">Continue</button>
<button name="answer" value="no">Cancel</button></form></html>`;
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

/** The page on which people say who they are. */
async function interact(provider, request, response) {
  const show = (wrong) => response.writeHead(200, { 'content-type': 'text/html' }).end(form(request.url, wrong));
  if (request.method !== 'POST') return show(false);
  const given = await bodyOf(request);
  if (given.get('answer') === 'no') {
    return provider.interactionFinished(request, response, { error: 'access_denied' });
  }
  if (given.get('password') !== PASSWORD || !['', CODE].includes(given.get('code'))) return show(true);
  const amr = given.get('code') === CODE ? ['pwd', 'otp'] : ['pwd'];
  return provider.interactionFinished(request, response, { login: { accountId: given.get('account'), amr } }, { mergeWithLastSubmission: false });
}

/** Everything that is asked for is granted: consent is not what is tested. */
async function grantAll(ctx) {
  const { client, session, provider } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid');
  await grant.save();
  return grant;
}

/** A provider that knows one client, which people come back to at `redirectUri`. */
export async function startProvider(redirectUri) {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirectUri], grant_types: ['authorization_code'], response_types: ['code'] }],
    claims: { openid: ['sub', 'acr', 'amr', 'auth_time'] },
    pkce: { required: () => true },
    cookies: { keys: ['a key of the test'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    loadExistingGrant: grantAll,
  });
  const errors = [];
  provider.on('server_error', (_ctx, error) => errors.push(error));
  const callback = provider.callback();
  server.on('request', (request, response) => {
    if (!request.url.startsWith('/interaction/')) return callback(request, response);
    return interact(provider, request, response).catch((error) => {
      errors.push(error);
      response.writeHead(500).end();
    });
  });
  return {
    issuer,
    errors,
    password: PASSWORD,
    code: CODE,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
