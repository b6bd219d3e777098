//! The line between the visit in a frame and the portal's page around it. Knows no element.
//!
//! Only the page around is listened to, and only if its origin is one that the frame was served with; and nothing is told to any other.

const TICKET_CHARS_MAX = 8192;

/** What the portal may say. */
export type Word = { kind: 'ticket'; ticket: string } | { kind: 'leave' };

/** What the portal is told. */
export type News =
  | { type: 'consilium-ready' }
  | { type: 'consilium-ticket-needed' }
  | { type: 'consilium-waiting' }
  | { type: 'consilium-joined' }
  | { type: 'consilium-left'; reason: string };

/** What is needed of the window around. */
export interface Around {
  postMessage(message: unknown, targetOrigin: string): void;
}

/** What is needed of a message event. */
export interface Heard {
  source: unknown;
  origin: string;
  data: unknown;
}

function wordOf(data: unknown): Word | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { type, ticket } = data as { type?: unknown; ticket?: unknown };
  if (type === 'consilium-leave') return { kind: 'leave' };
  const isTicket = typeof ticket === 'string' && ticket !== '' && ticket.length <= TICKET_CHARS_MAX;
  return type === 'consilium-ticket' && isTicket ? { kind: 'ticket', ticket } : undefined;
}

export class PortalLine {
  #around: Around;
  #origins: readonly string[];

  /** `likely` is the origin around where the browser tells it; without it every one of `origins` is tried until the portal spoke. */
  constructor(around: Around, origins: readonly string[], likely: string | undefined) {
    this.#around = around;
    this.#origins = likely === undefined ? origins : origins.filter((origin) => origin === likely);
  }

  /** The portal's word, if this is one. */
  hear(event: Heard): Word | undefined {
    if (event.source !== this.#around || !this.#origins.includes(event.origin)) return undefined;
    const word = wordOf(event.data);
    if (word !== undefined) this.#origins = [event.origin];
    return word;
  }

  /** The browser hands it over only where the page around is of that origin. */
  tell(news: News): void {
    for (const origin of this.#origins) this.#around.postMessage(news, origin);
  }
}
