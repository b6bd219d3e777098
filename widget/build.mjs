//! Bundles the widget, its pages and the portal into dist/, or the unit tests into dist-test/.

import { build } from 'esbuild';
import { cp, mkdir, readdir, rm, stat } from 'node:fs/promises';

const WIDGET_BYTES_MAX = 60 * 1024;
const shared = { bundle: true, format: 'esm', target: 'es2022', charset: 'utf8', legalComments: 'none', sourcemap: false, logLevel: 'warning' };

if (process.argv.includes('--test')) {
  await rm('dist-test', { recursive: true, force: true });
  const tests = (await readdir('test')).filter((name) => name.endsWith('.test.ts'));
  if (tests.length === 0) throw new Error('no unit tests found');
  await build({ ...shared, platform: 'node', outdir: 'dist-test', outExtension: { '.js': '.mjs' }, entryPoints: tests.map((name) => `test/${name}`) });
} else {
  await rm('dist', { recursive: true, force: true });
  await mkdir('dist/portal', { recursive: true });
  await build({ ...shared, minify: true, outfile: 'dist/consult-room.js', entryPoints: ['src/consult-room.ts'] });
  await build({ ...shared, minify: true, outfile: 'dist/portal/portal.js', entryPoints: ['portal/portal.ts'] });
  await build({ ...shared, minify: true, outfile: 'dist/portal/portal.css', entryPoints: ['portal/portal.css'] });
  await cp('portal/index.html', 'dist/portal/index.html');
  await mkdir('dist/pages', { recursive: true });
  await build({ ...shared, minify: true, outdir: 'dist/pages', entryPoints: ['pages/embed.ts', 'pages/guest.ts', 'pages/pages.css'] });
  for (const page of ['embed', 'guest']) await cp(`pages/${page}.html`, `dist/pages/${page}.html`);
  const { size } = await stat('dist/consult-room.js');
  if (size > WIDGET_BYTES_MAX) throw new Error(`consult-room.js has ${size} bytes, more than ${WIDGET_BYTES_MAX}`);
  console.log(`dist/consult-room.js ${(size / 1024).toFixed(1)} KiB`);
}
