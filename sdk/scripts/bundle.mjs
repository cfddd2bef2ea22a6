// After tsc: the browser build in one file with everything but ethers, and the command's mode.
import { chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Settings of the browser build; the size test uses them too. */
export const browserBuild = {
  absWorkingDir: root,
  entryPoints: ['dist/index.js'],
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  // fs and path: behind functions of the storage SDK that are for Node only.
  external: ['ethers', 'fs', 'path', 'node:*'],
  legalComments: 'none',
  logLevel: 'warning',
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build({ ...browserBuild, outfile: 'dist/browser.js', minify: true });
  chmodSync(join(root, 'dist/node/cli.js'), 0o755);
}
