//! A Consilium server of the test's own: fresh data directory, free ports, stopped by SIGINT as a person would.

import { execFile, spawn } from 'node:child_process';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BINARY = process.env.CONSILIUM_BIN ?? join(ROOT, 'target/debug/consilium');
const START_BUDGET_MS = 20_000;
const STOP_BUDGET_MS = 10_000;

async function listeningOrigin(child, log) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the server did not say where it listens:\n${log.join('')}`)), START_BUDGET_MS);
    const look = () => {
      const found = /listening on (http:\/\/\S+)/.exec(log.join(''));
      if (found === null) return;
      clearTimeout(timer);
      resolve(found[1].replace(/\/$/, ''));
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${log.join('')}`)));
  });
}

/** What a command of the binary prints, run to its end as from a shell. */
export function command(...args) {
  return new Promise((resolve, reject) => {
    execFile(BINARY, args, { cwd: ROOT }, (error, stdout, stderr) => (error === null ? resolve(stdout.trim()) : reject(new Error(`consilium ${args[0]}: ${stderr}`))));
  });
}

/**
 * A server with a configuration file of its own below `data`, which is the caller's to make and remove. Not in dev mode: it has the
 * tenants that commands make.
 */
export async function startConfigured(config) {
  const log = [];
  const child = spawn(BINARY, ['serve', '--config', config], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => log.push(String(chunk)));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const origin = await listeningOrigin(child, log).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  return {
    origin,
    log: () => log.join(''),
    stop: async () => {
      child.kill('SIGINT');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_BUDGET_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

export async function startServer() {
  await access(BINARY).catch(() => {
    throw new Error(`${BINARY} is missing: build it, or name another by CONSILIUM_BIN`);
  });
  const data = await mkdtemp(join(tmpdir(), 'consilium-browser-'));
  const log = [];
  const child = spawn(BINARY, ['serve', '--dev', '--listen', '127.0.0.1:0', '--data', data], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => log.push(String(chunk)));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const origin = await listeningOrigin(child, log).catch(async (error) => {
    child.kill('SIGKILL');
    await rm(data, { recursive: true, force: true });
    throw error;
  });
  const { api_key: apiKey } = JSON.parse(await readFile(join(data, 'dev-credentials.json'), 'utf8'));

  async function call(method, path, body) {
    const response = await fetch(origin + path, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** The whole answer: `ticket` and its `id`. */
  const mint = (consult, person, options = {}) =>
    call('POST', `/v1/consults/${consult}/tickets`, { role: person.role, person_id: person.id, display_name: person.name, ...options });

  return {
    origin,
    log: () => log.join(''),
    createConsult: async (options = {}) => (await call('POST', '/v1/consults', options)).id,
    endConsult: (consult) => call('POST', `/v1/consults/${consult}/end`),
    mint,
    ticket: async (consult, person) => (await mint(consult, person)).ticket,
    revoke: (consult, id) => call('DELETE', `/v1/consults/${consult}/tickets/${id}`),
    stop: async () => {
      child.kill('SIGINT');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_BUDGET_MS);
      await ended;
      clearTimeout(timer);
      await rm(data, { recursive: true, force: true });
    },
  };
}
