// Memory does not grow with the file: checking, encrypting, the storage tree, opening.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { root } from './support/readme.js';

const run = promisify(execFile);

async function measured(bytes: number): Promise<Record<string, number>> {
  const script = join(root, 'test/support/memory.mjs');
  const { stdout } = await run(process.execPath, ['--expose-gc', script, String(bytes)]);
  return JSON.parse(stdout) as Record<string, number>;
}

// The pieces in flight and what a collector has not yet returned come and go by some 10 MB, so
// the bound is one that no step could keep that held the file.
test('no step holds the file', async () => {
  if (!existsSync(join(root, 'dist/node/index.js'))) throw new Error('npm run build comes first');
  const peak = await measured(100_000_000);
  expect(peak.bytes).toBeGreaterThan(100_000_000);
  for (const step of ['check', 'encrypt', 'tree', 'open']) {
    console.log(`${step}: ${((peak[step] ?? Infinity) / 1e6).toFixed(1)} MB`);
    expect(peak[step]).toBeLessThan(40_000_000);
  }
}, 180_000);
