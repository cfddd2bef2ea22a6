// The README's snippets, as a user's project would hold them.
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** What a snippet's surroundings define. */
const AMBIENT = {
  password: 'string',
  sessionId: 'bigint',
  signer: "import('ethers').Signer",
  participants: 'string[]',
  network: 'string',
  rows: 'Uint8Array',
  file: 'File',
};

export const snippets = (): string[] =>
  [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(
    (found) => found[1] as string,
  );

/** A folder in which the package is installed. */
export function project(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ffe-user-'));
  mkdirSync(join(folder, 'node_modules/@0g'), { recursive: true });
  symlinkSync(root, join(folder, 'node_modules/@0g/ffe'));
  for (const name of ['ethers', '@types']) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  return folder;
}

/** The snippet as a module that typechecks. */
export function forCompiler(snippet: string): string {
  const own = (name: string): boolean =>
    new RegExp(`const (${name}\\b|\\{[^}]*\\b${name}\\b)`).test(snippet);
  const ambient = Object.entries(AMBIENT).filter(([name]) => !own(name));
  return ambient.map(([name, type]) => `declare const ${name}: ${type};\n`).join('') + snippet;
}

/** The snippet as a script, with what it needs defined by `prelude`. */
export function forNode(snippet: string, prelude: string): string {
  const { code } = transformSync(snippet, { loader: 'ts', format: 'esm', target: 'es2022' });
  return `${prelude}\n${code}`;
}
