//! What the tests look at inside a page. Every function here runs in the page: no imports, no names from outside.

/** Devices without the processing that would remove a steady tone, and small pictures. */
export function installPlainDevices() {
  const devices = navigator.mediaDevices;
  if (devices === undefined) return;
  const real = devices.getUserMedia.bind(devices);
  devices.getUserMedia = (constraints) =>
    real({
      ...(constraints.audio ? { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } } : {}),
      ...(constraints.video ? { video: { width: 320, height: 180, frameRate: 10 } } : {}),
    });
}

/** Devices that take this long to be opened, besides. */
export function installSlowDevices(ms) {
  const devices = navigator.mediaDevices;
  if (devices === undefined) return;
  const real = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (constraints) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return real(constraints);
  };
}

/** A camera painted by the page, so that many people fit into one browser. No microphone. */
export function installPaintedCamera(rgb) {
  if (navigator.mediaDevices === undefined) return;
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    if (constraints.audio && !constraints.video) throw new DOMException('none', 'NotFoundError');
    if (constraints.audio) throw new DOMException('none', 'NotFoundError');
    const canvas = document.createElement('canvas');
    canvas.width = 320;
    canvas.height = 180;
    const context = canvas.getContext('2d');
    let tick = 0;
    setInterval(() => {
      context.fillStyle = `rgb(${rgb.join()})`;
      context.fillRect(0, 0, 320, 180);
      // Something must change, or no frame is captured.
      context.fillStyle = (tick += 1) % 2 ? '#000' : '#fff';
      context.fillRect(0, 0, 4, 4);
    }, 100);
    return canvas.captureStream(10);
  };
}

/** A camera of 640x360 at 15 frames a second whose picture costs bits: noise around a middle of one colour. No microphone. */
export function installBusyCamera(rgb) {
  if (navigator.mediaDevices === undefined) return;
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    if (constraints.audio) throw new DOMException('none', 'NotFoundError');
    const canvas = document.createElement('canvas');
    canvas.width = 640;
    canvas.height = 360;
    const context = canvas.getContext('2d');
    setInterval(() => {
      for (let x = 0; x < 640; x += 16) {
        for (let y = 0; y < 360; y += 16) {
          context.fillStyle = `hsl(${Math.random() * 360} 60% 50%)`;
          context.fillRect(x, y, 16, 16);
        }
      }
      context.fillStyle = `rgb(${rgb.join()})`;
      context.fillRect(160, 90, 320, 180);
    }, 66);
    return canvas.captureStream(15);
  };
}

/** Keeps every WebSocket in reach; holds `layout` messages back for `layoutDelayMs`. */
export function installSocketWrap({ layoutDelayMs }) {
  const Real = window.WebSocket;
  window.socketWrap = { sockets: [], delayed: 0, sent: [], reoffers: [] };
  window.WebSocket = class extends Real {
    constructor(...args) {
      super(...args);
      window.socketWrap.sockets.push(this);
    }
    send(text) {
      window.socketWrap.sent.push(JSON.parse(text).type);
      super.send(text);
    }
    set onmessage(handler) {
      super.onmessage =
        handler &&
        ((event) => {
          const { type, reason } = JSON.parse(event.data);
          if (type === 'reoffer') window.socketWrap.reoffers.push(reason);
          if (type !== 'layout' || layoutDelayMs === 0) return handler.call(this, event);
          window.socketWrap.delayed += 1;
          setTimeout(() => handler.call(this, event), layoutDelayMs);
        });
    }
  };
}

/** Lets the page send video in these codecs only, the first preferred; what it receives stays as it is. */
export function installSendCodecs(names) {
  const { codecs } = RTCRtpReceiver.getCapabilities('video');
  const named = (name) => codecs.filter((codec) => codec.mimeType.toLowerCase() === `video/${name.toLowerCase()}`);
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (kind, init) {
    const transceiver = add.call(this, kind, init);
    if (kind === 'video' && init.direction === 'sendonly') transceiver.setCodecPreferences([...names, 'rtx'].flatMap(named));
    return transceiver;
  };
}

export function installProbe() {
  const room = () => document.querySelector('consult-room');
  const inRoom = (selector) => [...(room()?.shadowRoot?.querySelectorAll(selector) ?? [])];
  const shown = (element) => element !== null && element !== undefined && !element.hidden && element.getClientRects().length > 0;
  const analysers = new Map();
  let audioContext;

  function middleOf(canvas) {
    const { width, height } = canvas;
    const [red, green, blue] = canvas.getContext('2d').getImageData(Math.floor(width / 2), Math.floor(height / 2), 1, 1).data;
    return [red, green, blue];
  }

  function tile(root) {
    const canvas = root.querySelector('.picture');
    const hasPicture = shown(canvas);
    return {
      slot: root.dataset.slot,
      name: (hasPicture ? root.querySelector('.name') : root.querySelector('.placeholder-name')).textContent,
      hasPicture,
      rgb: hasPicture ? middleOf(canvas) : undefined,
      isAudible: !root.querySelector('audio').muted,
    };
  }

  const tiles = () => inRoom('.tile').filter(shown).map(tile);
  const samples = [];

  window.probe = {
    phase: () => room()?.phase,
    status: () => inRoom('.status')[0]?.textContent ?? '',
    card: () => inRoom('.card').filter(shown).map((card) => card.textContent).join(''),
    notices: () => inRoom('.notices').filter(shown).map((each) => each.textContent).join(''),
    tiles,
    click: (name) => {
      const button = inRoom('button').find((each) => shown(each) && (each.getAttribute('aria-label') ?? each.textContent) === name);
      if (button === undefined) throw new Error(`no button ${name}`);
      button.click();
    },
    buttons: () => inRoom('button').filter(shown).map((each) => each.getAttribute('aria-label') ?? each.textContent),
    /** Frames decoded so far of every picture that is received, by mid. */
    frames: async () => {
      const counts = {};
      for (const each of ((await room().stats()) ?? new Map()).values()) {
        if (each.type === 'inbound-rtp' && each.kind === 'video') counts[each.mid ?? each.id] = each.framesDecoded ?? 0;
      }
      return counts;
    },
    /** Packets of sound received so far, of everybody. */
    soundPackets: async () => {
      const received = [...((await room().stats()) ?? new Map()).values()].filter((each) => each.type === 'inbound-rtp' && each.kind === 'audio');
      return received.reduce((sum, each) => sum + each.packetsReceived, 0);
    },
    /** The video that is sent, of one source: codec, counts and what the sender believes the path to bear. */
    sending: async () => {
      const report = (await room().stats()) ?? new Map();
      const all = [...report.values()];
      const sent = all.find((each) => each.type === 'outbound-rtp' && each.kind === 'video' && each.framesSent > 0);
      if (sent === undefined) return undefined;
      const pair = report.get(all.find((each) => each.type === 'transport')?.selectedCandidatePairId);
      return {
        codec: report.get(sent.codecId)?.mimeType,
        frames: sent.framesSent,
        bytes: sent.bytesSent,
        atMs: sent.timestamp,
        targetBitrate: sent.targetBitrate,
        availableBitrate: pair?.availableOutgoingBitrate,
      };
    },
    /** Codecs of the video that is received, by mid. */
    receiving: async () => {
      const report = (await room().stats()) ?? new Map();
      const received = [...report.values()].filter((each) => each.type === 'inbound-rtp' && each.kind === 'video' && each.framesDecoded > 0);
      return Object.fromEntries(received.map((each) => [each.mid ?? each.id, report.get(each.codecId)?.mimeType]));
    },
    /** The loudest frequency in a slot's sound, as the person hears it: nothing while the tile keeps it muted. */
    tone: async (slot) => {
      const audio = inRoom(`.tile[data-slot="${slot}"] audio`)[0];
      if (audio === undefined || audio.muted) return undefined;
      audioContext ??= new AudioContext();
      if (audioContext.state !== 'running') await Promise.race([audioContext.resume(), new Promise((resolve) => setTimeout(resolve, 500))]);
      if (analysers.get(slot)?.stream !== audio.srcObject) {
        const analyser = audioContext.createAnalyser();
        analyser.fftSize = 8192;
        audioContext.createMediaStreamSource(audio.srcObject).connect(analyser);
        analysers.set(slot, { stream: audio.srcObject, analyser });
      }
      const { analyser } = analysers.get(slot);
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      const loudest = bins.reduce((best, level, bin) => (level > bins[best] ? bin : best), 0);
      return { hz: (loudest * audioContext.sampleRate) / analyser.fftSize, db: bins[loudest] };
    },
    localUfrag: async () => {
      for (const each of ((await room().stats()) ?? new Map()).values()) if (each.type === 'transport') return each.iceLocalUsernameFragment;
      return undefined;
    },
    /** From now on notes at every frame which colour stands under which name. */
    watch: () => {
      const look = () => {
        for (const each of tiles()) if (each.hasPicture) samples.push([each.name, ...each.rgb]);
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    },
    samples: () => samples.splice(0),
  };
}
