//! `<consult-room>`: the element that a portal embeds. See README.md for its attributes, methods and events.

import { Consult, type Phase } from './consult.js';
import type { Credential } from './signaling.js';
import { STYLES } from './styles.js';
import { RoomView } from './view.js';
import { errorWords, mutedWords } from './words.js';

const RESUME_PREFIX = 'consilium.resume.';

export class ConsultRoomElement extends HTMLElement {
  #view = new RoomView();
  #consult: Consult | undefined;

  constructor() {
    super();
    const shadow = this.attachShadow({ mode: 'open' });
    // A constructed sheet needs no 'unsafe-inline' in the embedder's Content-Security-Policy.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(this.#view.root);
  }

  /** Address of the Consilium server; the page's own where absent. */
  get server(): string {
    return this.getAttribute('server') ?? location.origin;
  }

  set server(value: string) {
    this.setAttribute('server', value);
  }

  /** `idle`, `connecting`, `waiting`, `joined`, `reconnecting` or `ended`. */
  get phase(): Phase | 'idle' {
    return this.#consult?.phase ?? 'idle';
  }

  /** Whether a reload of this tab can go back into the visit by `resume()`. Needs the `resume-key` attribute. */
  get canResume(): boolean {
    return this.#storedToken() !== undefined;
  }

  /** Opens the visit with a ticket from the control API. A ticket opens once. */
  join(ticket: string): void {
    this.#open({ ticket });
  }

  /** Goes back into the visit that this tab was in before a reload. False when there is none. */
  resume(): boolean {
    const token = this.#storedToken();
    if (token === undefined) return false;
    this.#open({ resume_token: token });
    return true;
  }

  /** Leaves for good. */
  leave(): void {
    this.#consult?.leave();
  }

  /** Looks for new network paths for picture and sound (an ICE restart); they go on meanwhile. */
  restartPath(): void {
    this.#consult?.restartPath();
  }

  /** Drops the connection and comes back on a new one. */
  reconnect(): void {
    this.#consult?.reconnect();
  }

  /** `RTCPeerConnection.getStats()` of the connection, for support. */
  async stats(): Promise<RTCStatsReport | undefined> {
    return this.#consult?.stats();
  }

  disconnectedCallback(): void {
    // A page that moves the element in its tree does so within one task.
    setTimeout(() => {
      if (!this.isConnected) this.leave();
    });
  }

  #open(credential: Credential): void {
    if (this.#consult !== undefined && this.#consult.phase !== 'ended') throw new DOMException('already in a visit', 'InvalidStateError');
    const consult: Consult = new Consult(this.server, credential, {
      changed: () => this.#consult === consult && this.#view.render(consult),
      phase: (phase) => this.#phaseChanged(phase),
      refused: (code) => {
        this.#view.tell(errorWords(code));
        this.#emit('consult-error', { code, fatal: false });
      },
      muted: (source, by) => {
        this.#view.tell(mutedWords(source, by));
        this.#emit('consult-muted', { source });
      },
      resumeToken: (token) => this.#storeToken(token),
    });
    this.#consult = consult;
    this.#view.render(consult);
    void consult.media.open();
  }

  #phaseChanged(phase: Phase): void {
    const consult = this.#consult;
    if (phase === 'waiting') this.#emit('consult-waiting');
    if (phase === 'reconnecting') this.#emit('consult-reconnecting');
    if (phase === 'joined') this.#emit('consult-joined', { participant: consult?.me?.participant, role: consult?.me?.role });
    if (phase !== 'ended') return;
    const ending = consult?.ending;
    if (ending?.kind === 'error') this.#emit('consult-error', { code: ending.code, fatal: true });
    if (ending?.kind === 'unreachable') this.#emit('consult-error', { code: 'unreachable', fatal: true });
    this.#emit('consult-left', { reason: ending?.kind === 'goodbye' ? ending.reason : (ending?.kind ?? 'left') });
  }

  #emit(name: string, detail: Record<string, unknown> = {}): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  #storageKey(): string | undefined {
    const key = this.getAttribute('resume-key');
    return key === null || key === '' ? undefined : RESUME_PREFIX + key;
  }

  #storedToken(): string | undefined {
    const key = this.#storageKey();
    try {
      return key === undefined ? undefined : (sessionStorage.getItem(key) ?? undefined);
    } catch {
      // Storage may be forbidden, as in some embedded frames.
      return undefined;
    }
  }

  #storeToken(token: string | undefined): void {
    const key = this.#storageKey();
    if (key === undefined) return;
    try {
      if (token === undefined) sessionStorage.removeItem(key);
      else sessionStorage.setItem(key, token);
    } catch {
      // Then a reload needs a new ticket.
    }
  }
}

if (customElements.get('consult-room') === undefined) customElements.define('consult-room', ConsultRoomElement);

declare global {
  interface HTMLElementTagNameMap {
    'consult-room': ConsultRoomElement;
  }
}
