//! One visit from the side of one person: ties signaling, media connection, devices and slots together. Knows no page.

import { ChatLog } from './chat-log.js';
import { fetchChat } from './earlier-chat.js';
import { EMPTY_LAYOUT, applyLayout, slotName, type LayoutState } from './layout.js';
import { LocalMedia, type Device } from './media.js';
import { CHAT_CHARS_MAX, type Participant, type Person, type ServerMessage, type SlotCounts, type Source, type Welcome } from './messages.js';
import { Peer } from './peer.js';
import { Signaling, type Credential, type Ending } from './signaling.js';
import { SlotPlayer } from './slot-player.js';

/** How long a page takes to show the lines that were fetched. */
const CHAT_SHOWN_AFTER_MS = 500;

export type Phase = 'connecting' | 'waiting' | 'joined' | 'reconnecting' | 'ended';

export interface ConsultEvents {
  /** Something that can be seen has changed. */
  changed(): void;
  phase(phase: Phase): void;
  /** The server refused something, and the visit goes on. */
  refused(code: string): void;
  /** Somebody of the staff has turned off what was sent. */
  muted(source: Source, by: Person | undefined): void;
  resumeToken(token: string | undefined): void;
}

export class Consult {
  phase: Phase = 'connecting';
  ending: Ending | undefined;
  me: Welcome | undefined;
  pathIsUp = false;
  layout: LayoutState = EMPTY_LAYOUT;
  lobby: Person[] = [];
  readonly chat = new ChatLog();
  /** What was written earlier could not be fetched. */
  chatIsIncomplete = false;
  /** What was written earlier is being fetched. */
  chatIsLoading = false;
  soundIsBlocked = false;
  readonly players = new Map<string, SlotPlayer>();
  readonly media: LocalMedia;
  #signaling: Signaling;
  #peer: Peer | undefined;
  #retiring: Peer | undefined;
  /** The media transport was lost while an offer was out: what comes after its answer. */
  #renewal: SlotCounts | undefined;
  /** Who of the staff has muted what, until this person turns it on again. */
  #mutedBy = new Map<Source, number>();
  #events: ConsultEvents;
  #server: string;

  constructor(server: string, credential: Credential, events: ConsultEvents) {
    this.#server = server;
    this.#events = events;
    this.media = new LocalMedia((source) => {
      void this.#peer?.update(source);
      events.changed();
    });
    this.#signaling = new Signaling(server, credential, {
      message: (message) => this.#receive(message),
      reconnecting: () => this.#setPhase('reconnecting'),
      ended: (ending) => this.#end(ending),
      resumeToken: (token) => events.resumeToken(token),
    });
    this.#signaling.connect();
  }

  get participants(): Participant[] {
    return [...this.layout.participants.values()];
  }

  /** Who is here by break-glass. */
  get emergencies(): Participant[] {
    return this.participants.filter((each) => each.break_glass === true);
  }

  get mayAdmit(): boolean {
    const isStaff = this.me?.role === 'provider' || this.me?.role === 'nurse';
    return isStaff && !this.emergencies.some((each) => each.participant === this.me?.participant);
  }

  /** Whoever lets in also mutes and sends out. */
  get actsOnOthers(): boolean {
    return this.mayAdmit && this.phase === 'joined';
  }

  async toggle(device: Device): Promise<void> {
    if (this.media.devices[device].on) this.media.turnOff(device);
    else await this.media.turnOn(device);
  }

  async toggleScreen(): Promise<void> {
    if (this.media.screen !== undefined) this.media.stopScreen();
    else await this.media.shareScreen();
  }

  /** False when the line could not be sent just now. */
  say(text: string): boolean {
    const printable = text.replace(/[^\P{Cc}\n\t]/gu, ' ').trim();
    return printable === '' || this.#signaling.send({ type: 'chat', text: [...printable].slice(0, CHAT_CHARS_MAX).join('') });
  }

  admit(participant: number): boolean {
    return this.#signaling.send({ type: 'admit', participant });
  }

  /** Sends somebody out for good. */
  remove(participant: number): boolean {
    return this.#signaling.send({ type: 'remove', participant });
  }

  /** Turns somebody's microphone off; they may turn it on again. */
  muteOther(participant: number): boolean {
    return this.#signaling.send({ type: 'mute_other', participant, source: 'microphone' });
  }

  leave(): void {
    this.#signaling.leave();
  }

  allowSound(): void {
    this.soundIsBlocked = false;
    for (const player of this.players.values()) player.play();
    this.#events.changed();
  }

  /** Asks for new network paths for the media, as after a change of network. */
  restartPath(): void {
    this.#peer?.reoffer(undefined, true);
  }

  /** Comes back on a new connection. */
  reconnect(): void {
    this.#signaling.reconnect();
  }

  async stats(): Promise<RTCStatsReport | undefined> {
    return this.#peer?.stats();
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        return this.#welcomed(message);
      case 'waiting':
        return this.#setPhase('waiting');
      case 'answer':
        if (this.#renewal !== undefined) return this.#openPeer(this.#renewal);
        void this.#peer?.answered(message.sdp);
        return;
      case 'reoffer':
        if (message.reason === 'path') return this.#renewPeer(message.slots);
        return this.#peer?.reoffer(message.slots, message.ice_restart);
      case 'layout':
        return this.#arrange(applyLayout(this.layout, message));
      case 'lobby':
        this.lobby = message.waiting;
        return this.#events.changed();
      case 'chat':
        this.chat.hear({ id: message.id, from: message.from, role: undefined, text: message.text, atMs: message.at_ms });
        return this.#events.changed();
      case 'muted':
        return this.#muted(message.source, message.by);
      case 'error':
        if (!message.fatal) void this.#refused(message.code);
        return;
      case 'leave':
        // The closing handshake follows and brings the ending.
        return;
    }
  }

  #welcomed(welcome: Welcome): void {
    this.me = welcome;
    this.chat.join(welcome, welcome.api_token !== undefined);
    this.#openPeer(welcome.slots);
    this.#setPhase('joined');
    void this.#fetchChat(welcome);
  }

  /** What was written before, or while the line was down. Who is given no token does without. */
  async #fetchChat(welcome: Welcome): Promise<void> {
    const { consult, api_token: token } = welcome;
    if (token === undefined) return;
    // Numbers in an answer that comes after the next `welcome` may be others'.
    const isNewest = () => this.me === welcome;
    this.chatIsLoading = true;
    let isIncomplete = false;
    try {
      await fetchChat({ server: this.#server, consult, token, after: this.chat.last }, (lines, last) => {
        if (isNewest()) this.chat.take(lines, last);
      });
    } catch {
      isIncomplete = true;
    }
    if (!isNewest()) return;
    this.chatIsIncomplete = isIncomplete;
    this.#events.changed();
    // Shown first, and not read out: only then is what comes news.
    setTimeout(() => {
      if (!isNewest()) return;
      this.chatIsLoading = false;
      this.#events.changed();
    }, CHAT_SHOWN_AFTER_MS);
  }

  /** The server has lost the media transport. A connection cannot go on with another one: it takes a new one. */
  #renewPeer(slots: SlotCounts): void {
    // The answer to an offer that is out would be taken for the new connection's.
    if (this.#peer?.isNegotiating === true) this.#renewal = slots;
    else this.#openPeer(slots);
  }

  #openPeer(slots: SlotCounts): void {
    this.#retirePeer();
    this.#peer = new Peer(slots, {
      send: (message) => this.#signaling.send(message),
      local: (source) => this.media.local(source),
      mutedBy: (source) => this.#mutedBy.get(source),
      unmuted: (source) => this.#mutedBy.delete(source),
      slotAdded: (slot) => {
        const player = new SlotPlayer(slot, () => this.#events.changed(), () => this.#blockSound());
        player.applyLayout(this.layout);
        this.players.set(slotName(slot.key), player);
      },
      path: (isUp) => {
        this.pathIsUp = isUp;
        if (isUp) this.#closeRetiring();
        this.#events.changed();
      },
      broken: () => this.#signaling.reconnect(),
    });
    this.#peer.start();
    this.#events.changed();
  }

  #arrange(layout: LayoutState): void {
    this.layout = layout;
    this.chat.meet(layout.participants.values());
    for (const player of this.players.values()) player.applyLayout(layout);
    this.#events.changed();
  }

  #muted(source: Source, by: number): void {
    // Each connection is told again of what this page knows, and what its person has turned on meanwhile is about to be told.
    if (this.#mutedBy.get(source) === by) return;
    this.#mutedBy.set(source, by);
    if (source === 'camera' || source === 'microphone') this.media.turnOff(source);
    else this.media.stopScreen();
    this.#events.muted(source, this.layout.participants.get(by));
  }

  async #refused(code: string): Promise<void> {
    if (code === 'offer_invalid' && this.#renewal !== undefined) return this.#openPeer(this.#renewal);
    if (code === 'offer_invalid' && (await this.#peer?.refused()) === false) {
      this.#signaling.leave();
      this.ending = { kind: 'error', code };
    }
    this.#events.refused(code);
  }

  #blockSound(): void {
    this.soundIsBlocked = true;
    this.#events.changed();
  }

  /** The server hands over to the new connection once it stands; until then the old one sends on. */
  #retirePeer(): void {
    for (const player of this.players.values()) player.close();
    this.players.clear();
    this.#closeRetiring();
    this.#peer?.retire();
    this.#retiring = this.#peer;
    this.#peer = undefined;
    this.#renewal = undefined;
    this.pathIsUp = false;
    this.layout = EMPTY_LAYOUT;
  }

  #closeRetiring(): void {
    this.#retiring?.close();
    this.#retiring = undefined;
  }

  #end(ending: Ending): void {
    this.ending = ending;
    this.#retirePeer();
    this.#closeRetiring();
    this.media.close();
    this.#setPhase('ended');
  }

  #setPhase(phase: Phase): void {
    this.phase = phase;
    this.#events.phase(phase);
    this.#events.changed();
  }
}
