//! What staff does on somebody's tile: muting them, and sending them out, which is asked back.

import type { Consult } from './consult.js';
import { element, setText } from './dom.js';
import type { Participant } from './messages.js';
import { removalWords } from './words.js';

/** On a tile of somebody else's, for who may mute and send them out. */
export class StaffActs {
  readonly root = element('div', { class: 'acts' });
  #mute = element('button', { type: 'button', class: 'small' }, 'Mute');
  #ask = element('button', { type: 'button', class: 'small' }, 'Remove');
  #words = element('span');
  #confirm = element('button', { type: 'button', class: 'small alarm' }, 'Remove');
  #keep = element('button', { type: 'button', class: 'small' }, 'Keep');
  #question = element('div', { class: 'question', role: 'alertdialog', hidden: true }, this.#words, this.#confirm, this.#keep);
  #consult: Consult | undefined;
  #about: number | undefined;
  #shown: number | undefined;
  #isHeard = false;

  constructor() {
    this.#mute.onclick = () => {
      if (this.#shown !== undefined) this.#consult?.muteOther(this.#shown);
    };
    this.#ask.onclick = () => this.#turn(this.#shown);
    this.#keep.onclick = () => this.#turn(undefined);
    this.#confirm.onclick = () => {
      if (this.#about !== undefined) this.#consult?.remove(this.#about);
      this.#turn(undefined);
    };
    this.#question.onkeydown = (event) => {
      if (event.key === 'Escape') this.#turn(undefined);
    };
    this.root.append(this.#mute, this.#ask, this.#question);
  }

  /** A question about somebody is dropped when somebody else takes their place. */
  render(consult: Consult, person: Participant | undefined): void {
    this.#consult = consult;
    this.#shown = consult.actsOnOthers ? person?.participant : undefined;
    this.root.hidden = this.#shown === undefined;
    this.#isHeard = person?.live.includes('microphone') === true;
    this.#mute.hidden = !this.#isHeard || this.#about !== undefined;
    this.#mute.setAttribute('aria-label', `Mute ${person?.display_name ?? ''}`);
    this.#ask.setAttribute('aria-label', `Remove ${person?.display_name ?? ''}`);
    const words = removalWords(person?.display_name ?? '');
    setText(this.#words, words);
    this.#question.setAttribute('aria-label', words);
    if (this.#about !== undefined && this.#about !== this.#shown) this.#turn(undefined);
  }

  #turn(about: number | undefined): void {
    const isAsking = about !== undefined;
    // Somebody may be writing elsewhere by now: only who was here is brought back.
    const page = this.root.getRootNode() as Document | ShadowRoot;
    const wasHere = this.#question.contains(page.activeElement);
    this.#about = about;
    this.#ask.hidden = isAsking;
    this.#mute.hidden = isAsking || !this.#isHeard;
    this.#question.hidden = !isAsking;
    if (isAsking) this.#keep.focus();
    else if (wasHere) this.#ask.focus();
  }
}
