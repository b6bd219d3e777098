//! Serves the built widget and portal without a Consilium server, under the policy that the real one sets.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../../../widget/dist/', import.meta.url));
const FILES = {
  '/portal/': ['portal/index.html', 'text/html; charset=utf-8'],
  '/portal/portal.js': ['portal/portal.js', 'text/javascript; charset=utf-8'],
  '/portal/portal.css': ['portal/portal.css', 'text/css; charset=utf-8'],
  '/widget/consult-room.js': ['consult-room.js', 'text/javascript; charset=utf-8'],
};
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; media-src 'self' blob:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

export async function serveSite() {
  const server = createServer(async (request, response) => {
    const path = (request.url ?? '/').split('?')[0];
    if (path === '/dev/tickets') {
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ ticket: 'fake', display_name: 'Demo person' }));
    }
    const [file, type] = FILES[path] ?? [];
    if (file === undefined) {
      response.statusCode = 404;
      return response.end();
    }
    response.setHeader('content-type', type);
    response.setHeader('content-security-policy', POLICY);
    response.end(await readFile(DIST + file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
