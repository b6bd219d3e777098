//! The whole picture of the visit: draws a `Consult` and turns clicks into its methods.

import type { Consult } from './consult.js';
import { element, icon, setText, type IconName } from './dom.js';
import { Card, Chat, Lobby, Notices } from './panels.js';
import { SelfView, Tiles } from './tiles.js';
import { statusWords } from './words.js';

class ControlButton {
  readonly root: HTMLButtonElement;
  #text = element('span', { class: 'control-text' });
  #icon: IconName | undefined;

  constructor(kind: string, run: () => void) {
    this.root = element('button', { type: 'button', class: `control ${kind}` }, this.#text);
    this.root.onclick = run;
  }

  render(iconName: IconName, text: string, name: string, isPressed?: boolean): void {
    if (iconName !== this.#icon) {
      this.root.querySelector('svg')?.remove();
      this.root.prepend(icon(iconName));
      this.#icon = iconName;
    }
    setText(this.#text, text);
    this.root.setAttribute('aria-label', name);
    if (isPressed !== undefined) this.root.setAttribute('aria-pressed', String(isPressed));
  }
}

export class RoomView {
  readonly root = element('div', { class: 'room' });
  #consult: Consult | undefined;
  #status = element('p', { class: 'status', role: 'status', 'aria-live': 'polite' });
  #notices = new Notices();
  #lobby = new Lobby();
  #tiles = new Tiles();
  #self = new SelfView();
  #card = new Card();
  #chat = new Chat((text) => this.#consult?.say(text) === true, () => this.#toggleChat());
  #controls = element('div', { class: 'controls', role: 'toolbar', 'aria-label': 'Visit controls' });
  #microphone = new ControlButton('microphone', () => void this.#consult?.toggle('microphone'));
  #camera = new ControlButton('camera', () => void this.#consult?.toggle('camera'));
  #screen = new ControlButton('share', () => void this.#consult?.toggleScreen());
  #chatButton = new ControlButton('talk', () => this.#toggleChat());
  #leave = new ControlButton('leave', () => this.#consult?.leave());

  constructor() {
    const stage = element('div', { class: 'stage' }, this.#tiles.root, this.#card.root, this.#self.root);
    for (const button of [this.#microphone, this.#camera, this.#screen, this.#chatButton, this.#leave]) this.#controls.append(button.root);
    this.#chat.root.onkeydown = (event) => {
      if (event.key === 'Escape') this.#toggleChat();
    };
    const title = element('div', { class: 'title' }, element('slot', { name: 'title' }, 'Video visit'));
    this.root.append(
      element('header', { class: 'top' }, title, this.#status),
      element('div', { class: 'middle' }, element('div', { class: 'main' }, this.#lobby.root, this.#notices.root, stage), this.#chat.root),
      this.#controls,
    );
    this.render(undefined);
  }

  /** Says something for a while. */
  tell(words: string): void {
    this.#notices.tell(words, () => this.render(this.#consult));
  }

  render(consult: Consult | undefined): void {
    this.#consult = consult;
    this.root.dataset.phase = consult?.phase ?? 'idle';
    this.root.toggleAttribute('data-up', consult?.phase === 'joined' && consult.pathIsUp);
    setText(this.#status, statusWords(consult));
    this.#card.render(consult);
    const isOpen = consult !== undefined && consult.phase !== 'ended';
    this.#controls.hidden = !isOpen;
    this.#self.root.hidden = !isOpen;
    if (!isOpen) this.#chat.root.hidden = true;
    if (consult === undefined) return;
    this.#notices.root.hidden = !isOpen;
    this.#notices.render(consult);
    this.#lobby.render(consult);
    this.#tiles.render(consult);
    this.#self.render(consult);
    this.#chat.render(consult);
    this.#renderControls(consult);
  }

  #renderControls(consult: Consult): void {
    const { microphone, camera } = consult.media.devices;
    this.#microphone.render(microphone.on ? 'microphone' : 'microphoneOff', microphone.on ? 'Mute' : 'Unmute', microphone.on ? 'Mute microphone' : 'Unmute microphone');
    this.#microphone.root.classList.toggle('off', !microphone.on);
    this.#camera.render(camera.on ? 'camera' : 'cameraOff', 'Camera', camera.on ? 'Turn camera off' : 'Turn camera on');
    this.#camera.root.classList.toggle('off', !camera.on);
    const isSharing = consult.media.screen !== undefined;
    this.#screen.render('screen', isSharing ? 'Stop sharing' : 'Share', isSharing ? 'Stop sharing screen' : 'Share screen', isSharing);
    this.#screen.root.hidden = typeof navigator.mediaDevices?.getDisplayMedia !== 'function' || consult.me?.role === 'observer' || consult.phase === 'waiting';
    const isChatOpen = !this.#chat.root.hidden;
    if (isChatOpen) consult.chat.see();
    const unread = consult.chat.hasNews;
    this.#chatButton.root.classList.toggle('unread', unread);
    this.#chatButton.render('chat', 'Chat', unread ? 'Chat, new messages' : 'Chat', isChatOpen);
    this.#chatButton.root.hidden = consult.phase === 'waiting';
    this.#leave.render('leave', 'Leave', 'Leave the visit');
  }

  #toggleChat(): void {
    this.#chat.root.hidden = !this.#chat.root.hidden;
    this.render(this.#consult);
    if (this.#chat.root.hidden) this.#chatButton.root.focus();
    else this.#chat.input.focus();
  }
}
