//! The tiles of the others, and one's own picture.

import type { Consult } from './consult.js';
import { element, icon, setText } from './dom.js';
import { personInSlot, pictureSource, slotName, soundSource } from './layout.js';
import type { Participant } from './messages.js';
import type { SlotPlayer } from './slot-player.js';
import { StaffActs } from './staff-acts.js';
import { initials, standingWords } from './words.js';

class Tile {
  readonly root = element('article', { class: 'tile' });
  #player: SlotPlayer;
  #initials = element('span', { class: 'initials', 'aria-hidden': 'true' });
  #placeholderName = element('span', { class: 'placeholder-name' });
  #note = element('span', { class: 'note' });
  #placeholder = element('div', { class: 'placeholder' }, this.#initials, this.#placeholderName, this.#note);
  #name = element('span', { class: 'name' });
  #role = element('span', { class: 'role' });
  #label = element('div', { class: 'label' }, this.#name, this.#role);
  #silent = element('span', { class: 'silent', role: 'img', 'aria-label': 'microphone off' }, icon('microphoneOff'));
  #acts = new StaffActs();

  constructor(player: SlotPlayer) {
    this.#player = player;
    this.root.dataset.slot = slotName(player.key);
    player.canvas.className = 'picture';
    player.video.className = 'source';
    player.video.setAttribute('aria-hidden', 'true');
    player.video.tabIndex = -1;
    this.root.append(player.video, player.canvas, this.#placeholder, this.#label, this.#silent, this.#acts.root, player.audio);
  }

  get player(): SlotPlayer {
    return this.#player;
  }

  render(consult: Consult, person: Participant | undefined): void {
    const { pool } = this.#player.key;
    const isScreen = pool === 'screen';
    const isPictureLive = person?.live.includes(pictureSource(pool)) === true;
    this.root.hidden = person === undefined || (isScreen && !isPictureLive);
    this.root.classList.toggle('screen', isScreen);
    const isShown = person !== undefined && this.#player.state.shown === person.participant;
    this.#player.canvas.hidden = !isShown;
    this.#label.hidden = !isShown;
    this.#placeholder.hidden = isShown;
    this.#silent.hidden = isScreen || person?.live.includes(soundSource(pool)) !== false;
    const name = person === undefined ? '' : isScreen ? `${person.display_name}: shared screen` : person.display_name;
    setText(this.#name, isShown ? name : '');
    setText(this.#role, isShown && !isScreen ? standingWords(person) : '');
    setText(this.#initials, person === undefined ? '' : initials(person.display_name));
    setText(this.#placeholderName, name);
    setText(this.#note, isPictureLive ? 'Connecting picture…' : 'Camera is off');
    this.root.setAttribute('aria-label', name);
    this.#acts.render(consult, isScreen ? undefined : person);
  }
}

export class Tiles {
  readonly root = element('div', { class: 'tiles', role: 'group', 'aria-label': 'People in this visit' });
  #tiles = new Map<string, Tile>();

  render(consult: Consult): void {
    for (const [name, tile] of this.#tiles) {
      if (consult.players.get(name) === tile.player) continue;
      tile.root.remove();
      this.#tiles.delete(name);
    }
    for (const [name, player] of consult.players) {
      if (!this.#tiles.has(name)) this.#add(name, player);
      this.#tiles.get(name)?.render(consult, personInSlot(consult.layout, player.key));
    }
    const visible = [...this.#tiles.values()].filter((tile) => !tile.root.hidden);
    this.root.dataset.count = String(visible.length);
    this.root.toggleAttribute('data-screen', visible.some((tile) => tile.root.classList.contains('screen')));
  }

  #add(name: string, player: SlotPlayer): void {
    const tile = new Tile(player);
    this.#tiles.set(name, tile);
    // Screens first: they get the large place.
    if (player.key.pool === 'screen') this.root.prepend(tile.root);
    else this.root.append(tile.root);
    // Elements that enter a page are paused by some browsers.
    player.play();
  }
}

export class SelfView {
  readonly root = element('div', { class: 'self' });
  #video = element('video', { class: 'mirror', playsinline: true, 'aria-label': 'Your own picture' });
  #initials = element('span', { class: 'initials', 'aria-hidden': 'true' });
  #label = element('div', { class: 'label' }, element('span', { class: 'name' }, 'You'));
  #silent = element('span', { class: 'silent', role: 'img', 'aria-label': 'your microphone is off' }, icon('microphoneOff'));

  constructor() {
    this.#video.muted = true;
    this.root.append(this.#video, this.#initials, this.#label, this.#silent);
  }

  render(consult: Consult): void {
    const { camera, microphone } = consult.media.devices;
    const shown = this.#video.srcObject instanceof MediaStream ? (this.#video.srcObject.getVideoTracks()[0] ?? null) : null;
    if (shown !== camera.track) {
      this.#video.srcObject = camera.track === null ? null : new MediaStream([camera.track]);
      if (camera.track !== null) this.#video.play().catch(() => {});
    }
    this.#video.hidden = camera.track === null;
    this.#initials.hidden = camera.track !== null;
    setText(this.#initials, initials(consult.me?.display_name ?? ''));
    this.#silent.hidden = microphone.on;
  }
}
