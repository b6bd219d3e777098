//! Cameras that show one colour and microphones that play one tone, made by ffmpeg.

import { execFile } from 'node:child_process';
import { access, mkdir, rename } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const ARTIFACTS = fileURLToPath(new URL('../.artifacts/', import.meta.url));

/** Far apart after YUV and a lossy codec, and each unlike the page's own colours. */
export const PEOPLE = {
  red: { colour: 'red', rgb: [220, 30, 30], toneHz: 440 },
  green: { colour: 'green', rgb: [30, 170, 40], toneHz: 880 },
  blue: { colour: 'blue', rgb: [40, 50, 220], toneHz: 1320 },
  yellow: { colour: 'yellow', rgb: [230, 210, 30], toneHz: 1760 },
};

async function make(name, args) {
  await mkdir(ARTIFACTS, { recursive: true });
  const path = `${ARTIFACTS}${name}`;
  if (await access(path).then(() => true, () => false)) return path;
  // Under another name first: a half-written file must never be found.
  const partial = `${ARTIFACTS}${process.pid}-${name}`;
  await run('ffmpeg', ['-v', 'error', '-y', ...args, partial]).catch((error) => {
    throw new Error(`ffmpeg could not make ${name}: ${error.message}`);
  });
  await rename(partial, path);
  return path;
}

/** The files of one person: 320x180 at 10 frames a second, and 10 s of a tone. */
export async function devicesOf({ colour, rgb, toneHz }) {
  const hex = `0x${rgb.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
  const camera = await make(`${colour}.y4m`, ['-f', 'lavfi', '-i', `color=c=${hex}:s=320x180:r=10:d=2`, '-pix_fmt', 'yuv420p']);
  const microphone = await make(`${toneHz}.wav`, ['-f', 'lavfi', '-i', `sine=frequency=${toneHz}:sample_rate=48000:duration=10`, '-ac', '1', '-c:a', 'pcm_s16le']);
  return { camera, microphone };
}
