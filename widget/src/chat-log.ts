//! What was written in the visit: lines that came while one is there, and earlier ones, each once and in the order in which they are kept.

import type { Role } from './messages.js';

const CHAT_LINES_MAX = 500;

export interface ChatLine {
  id: string;
  /** The author's number in the visit, where the server knows one. */
  from: number | undefined;
  /** What they are in the visit, where no number says who they are. */
  role: Role | undefined;
  /** `undefined`: it was erased. */
  text: string | undefined;
  atMs: number;
}

export class ChatLog {
  /** The newest of them. Another array whenever there is another line. */
  lines: readonly ChatLine[] = [];
  /** The number of the last line that was fetched, to go on after. */
  last = 0;
  #kept: ChatLine[] = [];
  #heard: ChatLine[] = [];

  /** A line that came just now. */
  hear(line: ChatLine): void {
    this.#heard = [...this.#heard, line].slice(-CHAT_LINES_MAX);
    this.#arrange();
  }

  /** Lines that follow those fetched before, up to this number. */
  take(lines: ChatLine[], last: number): void {
    const known = new Set(this.#kept.map((line) => line.id));
    this.#kept = [...this.#kept, ...lines.filter((line) => !known.has(line.id))].slice(-CHAT_LINES_MAX);
    this.last = Math.max(this.last, last);
    this.#arrange();
  }

  /** What was fetched stands first: a line that came meanwhile, and is not among it, was kept after it. */
  #arrange(): void {
    const kept = new Set(this.#kept.map((line) => line.id));
    this.#heard = this.#heard.filter((line) => !kept.has(line.id));
    this.lines = [...this.#kept, ...this.#heard].slice(-CHAT_LINES_MAX);
  }
}
