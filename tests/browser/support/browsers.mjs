//! Launches real browsers headless, each in a process of its own, with a camera and a microphone that can be told apart.

import { access } from 'node:fs/promises';
import puppeteer from 'puppeteer-core';

const CHROMIUM = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
const FIREFOX = process.env.FIREFOX_BIN ?? '/usr/bin/firefox-esr';
const PROTOCOL_TIMEOUT_MS = 120_000;

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
  // Hidden and covered pages must play on: the tests look at several at once.
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--window-size=1280,800',
];

const FIREFOX_PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.navigator.permission.fake': true,
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  // Without it an AudioContext never starts where there is no sound device.
  'media.cubeb.force_mock_context': true,
  'media.gmp-manager.updateEnabled': false,
  'media.gmp-manager.url': '',
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'browser.safebrowsing.downloads.enabled': false,
  'app.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
};

async function mustExist(path) {
  await access(path).catch(() => {
    throw new Error(`${path} is missing: these tests need it and are not skipped`);
  });
}

/**
 * A Chromium of its own. `camera` is a Y4M file, `microphone` a WAV file; `devices: false` leaves it without either,
 * `allow: false` has it refuse both.
 */
export async function launchChromium({ camera, microphone, devices = true, allow = true, args = [] } = {}) {
  await mustExist(CHROMIUM);
  const flags = [...CHROMIUM_FLAGS];
  if (devices) flags.push('--use-fake-device-for-media-stream=fps=10,display-media-type=browser');
  if (allow) flags.push('--use-fake-ui-for-media-stream');
  else flags.push('--deny-permission-prompts');
  if (camera !== undefined) flags.push(`--use-file-for-fake-video-capture=${camera}`);
  if (microphone !== undefined) flags.push(`--use-file-for-fake-audio-capture=${microphone}`);
  return puppeteer.launch({
    browser: 'chrome',
    executablePath: CHROMIUM,
    headless: true,
    args: [...flags, ...args],
    ignoreDefaultArgs: ['--mute-audio'],
    defaultViewport: { width: 1280, height: 800 },
    protocolTimeout: PROTOCOL_TIMEOUT_MS,
  });
}

/** A Firefox of its own, with its built-in picture and a tone of 1 kHz. */
export async function launchFirefox() {
  await mustExist(FIREFOX);
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: FIREFOX,
    headless: true,
    extraPrefsFirefox: FIREFOX_PREFERENCES,
    defaultViewport: { width: 1280, height: 800 },
    protocolTimeout: PROTOCOL_TIMEOUT_MS,
  });
}
