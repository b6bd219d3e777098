//! One person in one page, as a test speaks of them.

import { mkdir } from 'node:fs/promises';

import { eventually } from './eventually.mjs';
import { ARTIFACTS } from './fixtures.mjs';
import { installPlainDevices, installProbe, installSocketWrap } from './probe.mjs';

const TONE_TOLERANCE_HZ = 30;
const TONE_DB_MIN = -70;
const COLOUR_DISTANCE_MAX = 110;

function distance(a, b) {
  return Math.hypot(...a.map((part, index) => part - b[index]));
}

/** The person of `people` whose colour this is, or `undefined`. */
export function personOfColour(rgb, people) {
  const [nearest] = [...people].filter((each) => each.rgb !== undefined).sort((a, b) => distance(a.rgb, rgb) - distance(b.rgb, rgb));
  return nearest !== undefined && distance(nearest.rgb, rgb) <= COLOUR_DISTANCE_MAX ? nearest : undefined;
}

export class Participant {
  constructor(person, page) {
    this.person = person;
    this.page = page;
    this.errors = [];
  }

  /** A new page for `person` in `browser`, or in a browser context. */
  static async open(browser, person, { layoutDelayMs = 0, install = installPlainDevices, installArgument } = {}) {
    const page = await browser.newPage();
    const participant = new Participant(person, page);
    page.on('pageerror', (error) => participant.errors.push(String(error)));
    await page.evaluateOnNewDocument(installSocketWrap, { layoutDelayMs });
    await page.evaluateOnNewDocument(installProbe);
    await page.evaluateOnNewDocument(install, installArgument);
    return participant;
  }

  /** Pages for several people, who are let in one after the other. */
  static async openAll(browser, people, server, consult) {
    const everyone = [];
    for (const person of people) {
      const participant = await Participant.open(browser, person);
      everyone.push(participant);
      await participant.join(server, consult);
      await participant.waitForPhase('joined');
    }
    return everyone;
  }

  probe(name, ...args) {
    return this.page.evaluate((method, rest) => window.probe[method](...rest), name, args);
  }

  async join(server, consult) {
    await this.goWith(server, await server.ticket(consult, this.person));
  }

  async goWith(server, ticket) {
    // A change of the fragment alone would not load the page again.
    await this.page.goto('about:blank');
    await this.page.goto(`${server.origin}/portal/#join=${ticket}`);
  }

  async waitForPhase(phase) {
    await eventually(`${this.person.name} is ${phase}`, async () => {
      const seen = { phase: await this.probe('phase'), card: await this.probe('card') };
      return { ok: seen.phase === phase, seen };
    });
  }

  /** Everyone in `others`, each under the right name in the right colour, and nobody else. */
  async waitToSee(others) {
    return eventually(`${this.person.name} sees ${others.map((each) => each.name).join(' and ') || 'nobody'}`, async () => {
      const tiles = (await this.probe('tiles')).filter((tile) => tile.slot.startsWith('camera'));
      const names = tiles.map((tile) => tile.name).sort();
      const isRight = tiles.every((tile) => {
        const person = others.find((each) => each.name === tile.name);
        return tile.hasPicture && (person?.rgb === undefined || personOfColour(tile.rgb, others)?.name === tile.name);
      });
      return { ok: isRight && names.join() === others.map((each) => each.name).sort().join(), seen: tiles };
    });
  }

  /** At least `count` pictures go on being decoded. */
  async waitForFrames(count) {
    let before = await this.probe('frames');
    await eventually(`${this.person.name} decodes ${count} pictures`, async () => {
      const now = await this.probe('frames');
      const rising = Object.keys(now).filter((mid) => now[mid] >= (before[mid] ?? 0) + 5);
      if (Object.keys(now).some((mid) => now[mid] < (before[mid] ?? 0))) before = now;
      return { ok: rising.length >= count, seen: { before, now } };
    });
  }

  async waitToHear(others) {
    for (const { name, toneHz } of others) {
      await eventually(`${this.person.name} hears ${name} at ${toneHz} Hz`, async () => {
        const tile = (await this.probe('tiles')).find((each) => each.name === name);
        const tone = tile === undefined ? undefined : await this.probe('tone', tile.slot);
        const ok = tone !== undefined && Math.abs(tone.hz - toneHz) <= TONE_TOLERANCE_HZ && tone.db > TONE_DB_MIN;
        return { ok, seen: { tile, tone } };
      });
    }
  }

  async waitForScreenOf(name) {
    await eventually(`${this.person.name} sees the screen of ${name}`, async () => {
      const tiles = await this.probe('tiles');
      const screen = tiles.find((tile) => tile.slot.startsWith('screen'));
      return { ok: screen?.hasPicture === true && screen.name.startsWith(name), seen: tiles };
    });
  }

  click(name) {
    return this.probe('click', name);
  }

  async screenshot(name) {
    await mkdir(ARTIFACTS, { recursive: true });
    await this.page.screenshot({ path: `${ARTIFACTS}${name}.png` });
  }
}

/** Runs `steps` and keeps a screenshot of everyone when one of them fails. */
export async function withScreenshots(name, participants, steps) {
  try {
    await steps();
  } catch (error) {
    for (const each of participants) await each.screenshot(`failed-${name}-${each.person.colour ?? each.person.id}`).catch(() => {});
    throw error;
  }
}
