//! The WebSocket to the server: says hello, hands messages on, comes back by itself when the line breaks.

import { ATTEMPTS_MAX, backoffMs } from './backoff.js';
import { SUBPROTOCOL, parseServerMessage, type ClientMessage, type ServerMessage } from './messages.js';

const ANSWER_TO_HELLO_TIMEOUT_MS = 10_000;
/** A line that has held for so long starts counting attempts anew. */
const STABLE_AFTER_MS = 10_000;

/** Private close codes (RFC 6455 §7.4.2) for when the `error` message itself got lost. */
const CODE_OF_CLOSE = new Map<number, string>([
  [4400, 'message_malformed'],
  [4401, 'ticket_invalid'],
  [4402, 'ticket_expired'],
  [4403, 'forbidden'],
  [4404, 'message_unknown'],
  [4405, 'ticket_revoked'],
  [4406, 'message_unexpected'],
  [4408, 'hello_timeout'],
  [4409, 'ticket_in_use'],
  [4410, 'consult_full'],
  [4413, 'message_too_large'],
  [4422, 'offer_invalid'],
  [4429, 'too_many_messages'],
  [4500, 'internal'],
  [4503, 'node_full'],
]);
/** Likewise for when `leave` got lost. */
const REASON_OF_CLOSE = new Map<number, string>([
  [4001, 'replaced'],
  [4002, 'media_lost'],
  [4003, 'removed'],
]);
/** Fatal errors that another attempt may well survive. */
const PASSING = new Set(['hello_timeout', 'internal', 'node_full', 'too_many_messages']);

export type Credential = { ticket: string } | { resume_token: string };

/** Why signaling is over for good. */
export type Ending =
  | { kind: 'left' }
  | { kind: 'goodbye'; reason: string }
  | { kind: 'error'; code: string }
  | { kind: 'unreachable' };

export interface SignalingEvents {
  message(message: ServerMessage): void;
  /** The line broke; the next attempt follows by itself. */
  reconnecting(attempt: number): void;
  ended(ending: Ending): void;
  /** The newest resume token; `undefined` when there is nothing left to resume. */
  resumeToken(token: string | undefined): void;
}

/** What signaling needs of the world; tests bring their own. */
export interface SignalingWorld {
  open(url: string, protocol: string): WebSocket;
  after(ms: number, run: () => void): () => void;
  random(): number;
  now(): number;
}

export const BROWSER_WORLD: SignalingWorld = {
  open: (url, protocol) => new WebSocket(url, protocol),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
  now: () => performance.now(),
};

/** `https://host/base` -> `wss://host/base/v1/signal`. */
export function signalUrl(server: string): string {
  const url = new URL(server);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new TypeError('the server must be an http(s) address');
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/signal`;
  url.search = '';
  url.hash = '';
  return url.href;
}

export class Signaling {
  #url: string;
  #credential: Credential;
  #events: SignalingEvents;
  #world: SignalingWorld;
  #socket: WebSocket | undefined;
  #attempt = 0;
  #acceptedAt: number | undefined;
  #lastError: string | undefined;
  #goodbye: string | undefined;
  /** Whether the ticket was shown already: the server may take a while to notice that the line it came on is dead. */
  #ticketWasShown = false;
  #isOver = false;
  #cancelTimer: () => void = () => {};

  constructor(server: string, credential: Credential, events: SignalingEvents, world: SignalingWorld = BROWSER_WORLD) {
    this.#url = signalUrl(server);
    this.#credential = credential;
    this.#events = events;
    this.#world = world;
  }

  connect(): void {
    this.#cancelTimer();
    this.#acceptedAt = undefined;
    this.#lastError = undefined;
    const socket = this.#world.open(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    this.#cancelTimer = this.#world.after(ANSWER_TO_HELLO_TIMEOUT_MS, () => this.#drop(socket));
    const isAnotherTry = this.#ticketWasShown;
    socket.onopen = () => {
      this.#ticketWasShown = 'ticket' in this.#credential;
      socket.send(JSON.stringify({ type: 'hello', ...this.#credential }));
    };
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#receive(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#closed(event.code, isAnotherTry);
    };
  }

  /** Sends, unless the line is down just now: then false, and the next `welcome` brings everything up to date. */
  send(message: ClientMessage): boolean {
    if (this.#socket?.readyState !== 1 || this.#acceptedAt === undefined) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Says goodbye and ends. */
  leave(): void {
    if (this.#isOver) return;
    this.send({ type: 'leave' });
    const socket = this.#socket;
    this.#finish({ kind: 'left' });
    socket?.close(1000);
  }

  /** Cuts the line and comes back with the resume token: also the last resort when media cannot be mended. */
  reconnect(): void {
    if (this.#isOver) return;
    if (this.#socket !== undefined) this.#drop(this.#socket);
    else this.connect();
  }

  #receive(data: unknown): void {
    const message = parseServerMessage(data);
    if (message === undefined) return;
    if (message.type === 'welcome' || message.type === 'waiting') {
      this.#cancelTimer();
      this.#acceptedAt = this.#world.now();
      if (message.resume_token !== undefined) {
        this.#credential = { resume_token: message.resume_token };
        this.#events.resumeToken(message.resume_token);
      }
    }
    if (message.type === 'error' && message.fatal) this.#lastError = message.code;
    if (message.type === 'leave') this.#goodbye = message.reason;
    this.#events.message(message);
  }

  /** Does not wait for the closing handshake: over a dead network that takes minutes. */
  #drop(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    socket.onclose = null;
    socket.onmessage = null;
    socket.close();
    this.#closed(1006);
  }

  #closed(closeCode: number, isAnotherTry = false): void {
    this.#cancelTimer();
    this.#socket = undefined;
    if (this.#isOver) return;
    const goodbye = this.#goodbye ?? REASON_OF_CLOSE.get(closeCode);
    if (goodbye !== undefined && goodbye !== 'server_shutdown') {
      return this.#finish({ kind: 'goodbye', reason: goodbye });
    }
    this.#goodbye = undefined;
    const code = this.#lastError ?? CODE_OF_CLOSE.get(closeCode);
    const passes = code === undefined || PASSING.has(code) || (code === 'ticket_in_use' && isAnotherTry);
    if (!passes) return this.#finish({ kind: 'error', code });
    const held = this.#acceptedAt === undefined ? 0 : this.#world.now() - this.#acceptedAt;
    if (held >= STABLE_AFTER_MS) this.#attempt = 0;
    if (this.#attempt >= ATTEMPTS_MAX) return this.#finish({ kind: 'unreachable' });
    const wait = backoffMs(this.#attempt, this.#world.random());
    this.#attempt += 1;
    this.#events.reconnecting(this.#attempt);
    this.#cancelTimer = this.#world.after(wait, () => this.connect());
  }

  #finish(ending: Ending): void {
    this.#isOver = true;
    this.#cancelTimer();
    this.#socket = undefined;
    // Who cannot reach the server now may do so after a reload; every other ending is final.
    if (ending.kind !== 'unreachable') this.#events.resumeToken(undefined);
    this.#events.ended(ending);
  }
}
