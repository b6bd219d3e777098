//! Asks the control API for what was written before one came, by the token that `welcome` brought: it goes in a header, and is kept
//! nowhere.

import type { ChatLine } from './chat-log.js';
import { role } from './messages.js';
import { Malformed, fields, list, text, whole } from './parse.js';

/** The server gives 200 lines at a time. What is beyond these pages comes after the next `welcome`. */
const PAGES_MAX = 10;
const TIMEOUT_MS = 10_000;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** `https://host/base` -> `https://host/base/v1/consults/…/chat?after=…` */
export function chatUrl(server: string, consult: string, after: number): string {
  const url = new URL(server);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/consults/${encodeURIComponent(consult)}/chat`;
  url.search = `?after=${after}`;
  url.hash = '';
  return url.href;
}

/** Hands over page after page of what follows line number `after`. Throws when the server does not answer as it should. */
export async function fetchChat(
  { server, consult, token, after }: { server: string; consult: string; token: string; after: number },
  take: (lines: ChatLine[], last: number) => void,
  ask: Fetch = (url, init) => fetch(url, init),
): Promise<void> {
  let last = after;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const response = await ask(chatUrl(server, consult, last), {
      headers: { authorization: `Bearer ${token}` },
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`the control API answered ${response.status}`);
    const answer = fields(await response.json());
    const lines = list(answer.lines, lineOf);
    if (answer.last === null || lines.length === 0) return;
    const next = whole(answer.last);
    if (next <= last) throw new Malformed();
    last = next;
    take(lines, last);
  }
}

function lineOf(value: unknown): ChatLine {
  const f = fields(value);
  const atMs = Date.parse(text(f.at));
  if (Number.isNaN(atMs)) throw new Malformed();
  return {
    id: text(f.id),
    from: f.participant === null || f.participant === undefined ? undefined : whole(f.participant),
    role: role(f.role),
    text: f.text === null ? undefined : text(f.text),
    atMs,
  };
}
