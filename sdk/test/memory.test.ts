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

test('a file five times as large takes no more memory', async () => {
  if (!existsSync(join(root, 'dist/node/index.js'))) throw new Error('npm run build comes first');
  const small = await measured(8_000_000);
  const large = await measured(40_000_000);
  expect(large.bytes).toBeGreaterThan(40_000_000);
  for (const step of ['check', 'encrypt', 'tree', 'open']) {
    const [before = 0, after = Infinity] = [small[step], large[step]];
    console.log(`${step}: ${(after / 1e6).toFixed(1)} MB`);
    expect(after).toBeLessThan(32_000_000);
    expect(after - before).toBeLessThan(12_000_000);
  }
}, 180_000);
