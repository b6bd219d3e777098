//! What stands beside and above the pictures: notices, the staff's lobby, the chat, the card that covers the stage.

import type { KnownLine } from './chat-log.js';
import type { Consult } from './consult.js';
import { element, icon, setText } from './dom.js';
import type { Device } from './media.js';
import { CHAT_CHARS_MAX } from './messages.js';
import { authorWords, emergencyWords, endingWords, problemWords, roleWord } from './words.js';

/** Who is there by emergency access; device problems, blocked sound, refusals and what staff did, each with what to do about it. */
export class Notices {
  readonly root = element('div', { class: 'notices', 'aria-live': 'polite' });
  #news = '';
  #shown = '';
  #newsTimer: ReturnType<typeof setTimeout> | undefined;

  /** For a few seconds. */
  tell(text: string, render: () => void): void {
    this.#news = text;
    clearTimeout(this.#newsTimer);
    this.#newsTimer = setTimeout(() => {
      this.#news = '';
      render();
    }, 8_000);
    render();
  }

  render(consult: Consult): void {
    const lines: [string, string, () => void][] = consult.emergencies.map((person) => [emergencyWords(person, person.participant === consult.me?.participant), '', () => {}]);
    if (consult.soundIsBlocked) lines.push(['Your browser has paused the sound.', 'Turn on sound', () => consult.allowSound()]);
    for (const device of ['microphone', 'camera'] as const satisfies readonly Device[]) {
      const { problem } = consult.media.devices[device];
      if (problem !== undefined) lines.push([problemWords(device, problem), 'Try again', () => void consult.media.turnOn(device)]);
    }
    if (this.#news !== '') lines.push([this.#news, '', () => {}]);
    const signature = lines.map(([text]) => text).join('\n');
    if (signature === this.#shown) return;
    this.#shown = signature;
    this.root.replaceChildren(...lines.map(([text, action, run]) => notice(text, action, run)));
  }
}

function notice(text: string, action: string, run: () => void): HTMLElement {
  const line = element('div', { class: 'notice' }, element('span', {}, text));
  if (action !== '') {
    const button = element('button', { type: 'button', class: 'small' }, action);
    button.onclick = run;
    line.append(button);
  }
  return line;
}

/** Who waits to be let in. */
export class Lobby {
  readonly root = element('section', { class: 'lobby', 'aria-label': 'Waiting room', 'aria-live': 'polite', hidden: true });
  #shown = '';

  render(consult: Consult): void {
    const waiting = consult.mayAdmit && consult.phase === 'joined' ? consult.lobby : [];
    const signature = JSON.stringify(waiting);
    if (signature === this.#shown) return;
    this.#shown = signature;
    this.root.hidden = waiting.length === 0;
    this.root.replaceChildren(
      ...waiting.map((person) => {
        const admit = element('button', { type: 'button', class: 'small primary', 'aria-label': `Let in ${person.display_name}` }, 'Let in');
        admit.onclick = () => consult.admit(person.participant);
        return element('div', { class: 'notice' }, element('span', {}, element('strong', {}, person.display_name), ` (${roleWord(person.role).toLowerCase()}) is waiting`), admit);
      }),
    );
  }
}

export class Chat {
  readonly root = element('aside', { class: 'chat', 'aria-label': 'Chat', hidden: true });
  readonly input = element('input', { type: 'text', maxlength: String(CHAT_CHARS_MAX), autocomplete: 'off', placeholder: 'Write to everyone', 'aria-label': 'Message to everyone' });
  #lines = element('ol');
  /** Read out line by line as they come; not what was written before. */
  #log = element('div', { class: 'log', role: 'log', 'aria-label': 'Messages', 'aria-live': 'off', tabindex: '0' }, this.#lines);
  #shown = new Map<string, { root: HTMLElement; who: HTMLElement }>();
  #empty = element('p', { class: 'note' }, 'Messages are seen by everyone in the visit. The clinic keeps them with it.');
  #problem = element('p', { class: 'problem', role: 'alert' });
  #incomplete = element('p', { class: 'note', role: 'status', hidden: true }, 'Earlier messages could not be loaded.');
  #last: string | undefined;

  constructor(send: (text: string) => boolean, close: () => void) {
    const closeButton = element('button', { type: 'button', class: 'bare', 'aria-label': 'Close chat' }, icon('close'));
    closeButton.onclick = close;
    const form = element('form', {}, this.input, element('button', { type: 'submit', class: 'primary square', 'aria-label': 'Send' }, icon('send')));
    form.onsubmit = (event) => {
      event.preventDefault();
      const text = this.input.value.trim();
      if (text === '') return;
      const isSent = send(text);
      setText(this.#problem, isSent ? '' : 'Not sent: the connection is down just now.');
      if (isSent) this.input.value = '';
    };
    this.root.append(element('header', {}, element('h2', {}, 'Chat'), closeButton), this.#empty, this.#incomplete, this.#log, this.#problem, form);
  }

  render(consult: Consult): void {
    this.#incomplete.hidden = !consult.chatIsIncomplete;
    const { lines } = consult.chat;
    this.#empty.hidden = lines.length > 0;
    this.#log.setAttribute('aria-live', consult.chatIsLoading ? 'off' : 'polite');
    const ids = new Set(lines.map((line) => line.id));
    for (const [id, { root }] of this.#shown) {
      if (ids.has(id)) continue;
      root.remove();
      this.#shown.delete(id);
    }
    // A node that stays where it is is not read out again.
    let before: Element | null = this.#lines.firstElementChild;
    for (const line of lines) {
      const shown = this.#shown.get(line.id) ?? this.#make(line);
      const time = new Date(line.atMs).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
      // Who wrote an earlier line is known when `layout` comes.
      setText(shown.who, `${authorWords(line)}, ${time}`);
      if (shown.root === before) before = before.nextElementSibling;
      else this.#lines.insertBefore(shown.root, before);
    }
    const last = lines.at(-1)?.id;
    if (last !== this.#last) this.#log.scrollTop = this.#log.scrollHeight;
    this.#last = last;
  }

  #make(line: KnownLine): { root: HTMLElement; who: HTMLElement } {
    const who = element('span', { class: 'who' });
    const text = element('span', { class: 'text' }, line.text ?? 'This message was erased.');
    const made = { root: element('li', { class: line.isMine ? 'mine' : undefined }, who, text), who };
    this.#shown.set(line.id, made);
    return made;
  }
}

/** Covers the stage while there is nobody to be seen. */
export class Card {
  readonly root = element('div', { class: 'card' });
  #title = element('h2');
  #text = element('p');
  #pulse = element('div', { class: 'pulse', 'aria-hidden': 'true' });

  constructor() {
    this.root.append(this.#pulse, this.#title, this.#text);
  }

  render(consult: Consult | undefined): void {
    const words = cardWords(consult);
    this.root.hidden = words === undefined;
    this.#pulse.hidden = consult === undefined || consult.phase === 'ended';
    setText(this.#title, words?.title ?? '');
    setText(this.#text, words?.text ?? '');
  }
}

function cardWords(consult: Consult | undefined): { title: string; text: string } | undefined {
  if (consult === undefined) return { title: 'Video visit', text: 'The visit has not been opened yet.' };
  if (consult.ending !== undefined) return endingWords(consult.ending);
  const others = consult.participants.some((each) => each.participant !== consult.me?.participant);
  switch (consult.phase) {
    case 'connecting':
      return { title: 'Connecting…', text: 'Please allow the camera and the microphone if your browser asks.' };
    case 'waiting':
      return { title: 'You are in the waiting room', text: 'The clinic knows that you are here. Somebody will let you in soon; please keep this page open.' };
    case 'reconnecting':
      return others ? undefined : { title: 'Reconnecting…', text: 'The connection to the clinic was lost. It is being set up again.' };
    case 'joined':
      return others ? undefined : { title: 'You are in', text: 'Nobody else is here yet. They will appear as soon as they join.' };
    case 'ended':
      return endingWords({ kind: 'left' });
  }
}
