// Serves the example page: node serve.mjs NETWORK.json [PORT]
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const ethers = join(dirname(createRequire(import.meta.url).resolve('ethers')), '../dist');

/** Listens on loopback; gives the server. */
export function serve(networkFile, port = 0) {
  const files = {
    '/': join(here, 'index.html'),
    '/page.js': join(here, 'page.js'),
    '/ffe.js': join(here, '../../dist/browser.js'),
    '/ethers.js': join(ethers, 'ethers.min.js'),
    '/network.json': networkFile,
  };
  const types = { html: 'text/html', js: 'text/javascript', json: 'application/json' };
  const server = createServer((request, response) => {
    const file = files[new URL(request.url, 'http://localhost').pathname];
    if (file === undefined || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': types[file.split('.').pop()] });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [network, port = '8080'] = process.argv.slice(2);
  if (network === undefined || !existsSync(network)) {
    console.error('error: no network file\nhint: node serve.mjs NETWORK.json [PORT]');
    process.exit(2);
  }
  const server = await serve(network, Number(port));
  console.log(`http://127.0.0.1:${server.address().port}/`);
}
