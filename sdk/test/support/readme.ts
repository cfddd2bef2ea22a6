// The README's snippets, as a user's project would hold them.
import { execFile } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { transformSync } from 'esbuild';

const run = promisify(execFile);

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
  buyer: "import('ethers').Signer",
  seller: "import('ethers').Signer",
  tokenId: 'bigint',
};

export const snippets = (): string[] =>
  [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(
    (found) => found[1] as string,
  );

/** The snippet that holds these words. */
export function snippetWith(words: string): string {
  const found = snippets().filter((snippet) => snippet.includes(words));
  if (found.length !== 1) throw new Error(`${found.length} snippets with ${words}`);
  return found[0] as string;
}

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

/** A folder in which the package is installed from its tarball, with the commands that npm links. */
export async function installed(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'ffe-user-'));
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
  const { stdout } = await run('npm', pack, { cwd: root });
  const modules = join(folder, 'node_modules');
  const here = join(modules, '@0g/ffe');
  mkdirSync(here, { recursive: true });
  mkdirSync(join(modules, '.bin'));
  await run('tar', ['xzf', join(folder, stdout.trim()), '--strip-components=1', '-C', here]);
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== '@0g' && !name.startsWith('.')) {
      symlinkSync(join(root, 'node_modules', name), join(modules, name));
    }
  }
  const { bin } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  for (const [name, file] of Object.entries(bin)) {
    chmodSync(join(here, file), 0o755);
    symlinkSync(join(here, file), join(modules, '.bin', name));
  }
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
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
