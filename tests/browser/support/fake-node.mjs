//! A Consilium node inside the page, for tests of the page alone: answers offers from a second RTCPeerConnection and fills
//! the slots with painted pictures. Chromium lets it write real CSRCs; elsewhere it stands in for `getContributingSources`.

/** Chromium's switch that lets a script write CSRCs. */
export const CSRC_FLAG = '--enable-features=AllowRTCEncodedVideoFrameSetMetadataAllFields';

/** Runs in the page before anything else (`evaluateOnNewDocument`): no imports, no names from outside. */
export function installFakeNode({ people, me, waiting }) {
  const connections = [];
  const RealConnection = window.RTCPeerConnection;
  const realSources = RTCRtpReceiver.prototype.getSynchronizationSources;
  window.RTCPeerConnection = class extends RealConnection {
    constructor(...args) {
      super(...args);
      connections.push(this);
    }
  };

  function picture({ rgb }) {
    const canvas = document.createElement('canvas');
    canvas.width = 640;
    canvas.height = 360;
    const context = canvas.getContext('2d');
    let tick = 0;
    setInterval(() => {
      tick += 1;
      const shade = context.createRadialGradient(320, 150, 30, 320, 180, 380);
      shade.addColorStop(0, `rgb(${rgb.map((part) => Math.min(255, part + 15)).join()})`);
      shade.addColorStop(1, `rgb(${rgb.join()})`);
      context.fillStyle = shade;
      context.fillRect(0, 0, 640, 360);
      context.fillStyle = `rgb(255 255 255 / ${tick % 2 ? 0.02 : 0.03})`;
      context.fillRect(0, 0, 8, 8);
    }, 100);
    return canvas.captureStream(10).getVideoTracks()[0];
  }

  const writesCsrcs = typeof RTCRtpSender.prototype.createEncodedStreams === 'function';
  const FLUSH_MS = 300;

  /** Every frame that this sender encodes names the publisher who is on air in its slot. */
  function writeCsrcs(sender, line) {
    const { readable, writable } = sender.createEncodedStreams();
    const transform = new TransformStream({
      transform(frame, controller) {
        if (!(frame instanceof RTCEncodedVideoFrame)) return controller.enqueue(frame);
        const metadata = frame.getMetadata();
        metadata.contributingSources = [line.onAir];
        controller.enqueue(new RTCEncodedVideoFrame(frame, { metadata }));
      },
    });
    void readable.pipeThrough(transform).pipeTo(writable);
  }

  const node = {
    sockets: [],
    received: [],
    lines: new Map(),
    inSlot: new Map(),
    revision: 0,
    pictures: new Map(),
    say(message) {
      for (const socket of node.sockets) socket.deliver(message);
    },
    /** `slots`: { "camera-0": participant }; `live`: { participant: [sources] }. */
    async arrange(slots, live, { tellLayout = true } = {}) {
      node.inSlot = new Map(Object.entries(slots));
      await Promise.all([...node.lines.values()].filter((line) => line.kind === 'video').map((line) => node.point(line)));
      if (tellLayout) node.tellLayout(slots, live);
    },
    async point(line) {
      const publisher = node.inSlot.get(line.slot);
      if (publisher === line.onAir) return;
      if (publisher !== undefined && !node.pictures.has(publisher)) node.pictures.set(publisher, picture(people.find((each) => each.participant === publisher)));
      await line.sender.replaceTrack(null);
      // Frames of the earlier picture that are still being encoded must not get the new CSRC.
      await new Promise((resolve) => setTimeout(resolve, FLUSH_MS));
      line.onAir = publisher;
      if (publisher !== undefined) await line.sender.replaceTrack(node.pictures.get(publisher));
    },
    tellLayout(slots, live) {
      node.revision += 1;
      const present = [...new Set([me.participant, ...Object.values(slots), ...Object.keys(live).map(Number)])];
      node.say({
        type: 'layout',
        revision: node.revision,
        slots: Object.entries(slots).map(([name, publisher]) => ({ pool: name.split('-')[0], index: Number(name.split('-')[1]), publisher })),
        participants: present.map((number) => {
          const { participant, role, display_name } = number === me.participant ? me : people.find((each) => each.participant === number);
          return { participant, role, display_name, live: live[number] ?? [] };
        }),
      });
    },
    welcome() {
      node.say({ type: 'welcome', consult: '0'.repeat(32), ...me, slots: { camera: 3, screen: 1 }, resume_token: 'again' });
    },
    async answer(offer) {
      node.far?.close();
      node.far = new RealConnection({ encodedInsertableStreams: writesCsrcs });
      const near = connections[connections.length - 1];
      near.onicecandidate = ({ candidate }) => candidate !== null && node.far.addIceCandidate(candidate).catch(() => {});
      node.far.onicecandidate = ({ candidate }) => candidate !== null && near.addIceCandidate(candidate).catch(() => {});
      await node.far.setRemoteDescription({ type: 'offer', sdp: offer.sdp });
      node.lines.clear();
      for (const { mid, pool, index } of offer.slots) {
        const transceiver = node.far.getTransceivers().find((each) => each.mid === mid);
        transceiver.direction = 'sendonly';
        const line = { slot: `${pool}-${index}`, sender: transceiver.sender, kind: transceiver.receiver.track.kind, onAir: undefined };
        node.lines.set(mid, line);
        if (writesCsrcs) writeCsrcs(transceiver.sender, line);
      }
      await node.far.setLocalDescription();
      node.say({ type: 'answer', sdp: node.far.localDescription.sdp });
    },
    receive(message) {
      node.received.push(message);
      if (message.type === 'hello') waiting ? node.say({ type: 'waiting' }) : node.welcome();
      if (message.type === 'offer') void node.answer(message);
      if (message.type === 'chat') node.say({ type: 'chat', id: crypto.randomUUID(), from: me.participant, text: message.text, at_ms: Date.now() });
    },
  };

  const contributions = new WeakMap();
  if (!writesCsrcs) RTCRtpReceiver.prototype.getContributingSources = function () {
    const near = connections[connections.length - 1];
    const mid = near.getTransceivers().find((each) => each.receiver === this)?.mid;
    const publisher = node.inSlot.get(node.lines.get(mid)?.slot);
    const [newest] = realSources.call(this);
    const entries = contributions.get(this) ?? new Map();
    contributions.set(this, entries);
    if (publisher !== undefined && newest !== undefined) entries.set(publisher, { source: publisher, timestamp: newest.timestamp, rtpTimestamp: newest.rtpTimestamp });
    return [...entries.values()];
  };

  window.WebSocket = class {
    constructor(url, protocol) {
      this.url = url;
      this.protocol = protocol;
      this.readyState = 0;
      node.sockets.push(this);
      setTimeout(() => {
        this.readyState = 1;
        this.onopen?.();
      });
    }
    send(text) {
      const message = JSON.parse(text);
      setTimeout(() => node.receive(message));
    }
    deliver(message) {
      this.onmessage?.({ data: JSON.stringify(message) });
    }
    close(code = 1000) {
      if (this.readyState === 3) return;
      this.readyState = 3;
      node.sockets = node.sockets.filter((each) => each !== this);
      setTimeout(() => this.onclose?.({ code }));
    }
  };
  window.fakeNode = node;
}
