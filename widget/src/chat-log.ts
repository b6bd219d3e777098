//! What was written in the visit: lines that came while one is there, and earlier ones, each once and in the order in which they are kept.

import type { Person, Role } from './messages.js';

const CHAT_LINES_MAX = 500;

/** A line as it came. */
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

/** With whose it is: a number stands for one person until the server starts again, and perhaps for another after it. */
export interface KnownLine extends ChatLine {
  author: Person | undefined;
  isMine: boolean;
}

export class ChatLog {
  /** The newest of them. Another array whenever there is another line, or another name. */
  lines: readonly KnownLine[] = [];
  /** The number of the last line that was fetched, to go on after. */
  last = 0;
  /** Whether somebody else wrote since `see()`, while one was there to hear it. */
  hasNews = false;
  #me: number | undefined;
  #people = new Map<number, Person>();
  #kept: KnownLine[] = [];
  #heard: KnownLine[] = [];

  /** One is in the visit, or in it again: numbers of before stand for nobody any more. Who has another number than before begins anew,
      where everything can be fetched. */
  join(me: Person, canFetch: boolean): void {
    const isRenumbered = this.#me !== undefined && this.#me !== me.participant;
    this.#me = me.participant;
    this.#people = new Map([[me.participant, me]]);
    const forget = (line: KnownLine) => (line.author === undefined ? { ...line, from: undefined } : line);
    const isKept = !(isRenumbered && canFetch);
    this.#kept = isKept ? this.#kept.map(forget) : [];
    this.#heard = isKept ? this.#heard.map(forget) : [];
    if (!isKept) this.last = 0;
    this.#arrange();
  }

  /** These are in the visit now: whose a line is stands from then on. */
  meet(people: Iterable<Person>): void {
    for (const person of people) this.#people.set(person.participant, person);
    const isNew = (line: KnownLine) => line.author === undefined && line.from !== undefined && this.#people.has(line.from);
    if (![...this.#kept, ...this.#heard].some(isNew)) return;
    const name = (line: KnownLine) => (isNew(line) ? this.#know(line) : line);
    this.#kept = this.#kept.map(name);
    this.#heard = this.#heard.map(name);
    this.#arrange();
  }

  /** A line that came just now. */
  hear(line: ChatLine): void {
    const known = this.#know(line);
    this.#heard = [...this.#heard, known].slice(-CHAT_LINES_MAX);
    this.hasNews ||= !known.isMine;
    this.#arrange();
  }

  /** Lines that follow those fetched before, up to this number. */
  take(lines: ChatLine[], last: number): void {
    const known = new Set(this.#kept.map((line) => line.id));
    const more = lines.filter((line) => !known.has(line.id)).map((line) => this.#heardOf(line.id) ?? this.#know(line));
    this.#kept = [...this.#kept, ...more].slice(-CHAT_LINES_MAX);
    this.last = Math.max(this.last, last);
    this.#arrange();
  }

  /** Everything that is there is seen. */
  see(): void {
    this.hasNews = false;
  }

  #know(line: ChatLine): KnownLine {
    const author = line.from === undefined ? undefined : this.#people.get(line.from);
    return { ...line, author, isMine: line.from !== undefined && line.from === this.#me };
  }

  /** A line that is known by name already. */
  #heardOf(id: string): KnownLine | undefined {
    return this.#heard.find((line) => line.id === id && line.author !== undefined);
  }

  /** What was fetched stands first: a line that came meanwhile, and is not among it, was kept after it. */
  #arrange(): void {
    const kept = new Set(this.#kept.map((line) => line.id));
    this.#heard = this.#heard.filter((line) => !kept.has(line.id));
    this.lines = [...this.#kept, ...this.#heard].slice(-CHAT_LINES_MAX);
  }
}
