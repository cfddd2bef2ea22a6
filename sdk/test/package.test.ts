// What is published: contents, size, what a bundler keeps, the README, the reference, the command.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import * as typedoc from 'typedoc';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forCompiler, installed, project, root, snippets } from './support/readme.js';

const run = promisify(execFile);

beforeAll(() => {
  if (!existsSync(join(root, 'dist/browser.js'))) throw new Error('npm run build comes first');
});

const size = (bytes: Uint8Array): number => gzipSync(bytes, { level: 9 }).length;

describe('size', () => {
  test('at most 120 kB compressed in a browser, without ethers', () => {
    const bytes = size(readFileSync(join(root, 'dist/browser.js')));
    console.log(`browser build: ${(bytes / 1000).toFixed(1)} kB compressed`);
    expect(bytes).toBeLessThan(120_000);
    expect(bytes).toBeGreaterThan(50_000); // it is all there
  });

  test('a bundler keeps what is used', async () => {
    const keep = async (code: string): Promise<number> => {
      const { outputFiles } = await build({
        stdin: { contents: code, resolveDir: join(root, 'dist') },
        bundle: true,
        minify: true,
        write: false,
        format: 'esm',
        platform: 'browser',
        external: ['ethers', 'fs', 'path', 'node:*'], // as the README says
        logLevel: 'error',
      });
      return size(outputFiles[0]?.contents ?? new Uint8Array());
    };
    const verifier = await keep("export { verifyQuote, intelRoot } from './index.js'");
    const evidence = await keep("export { recompute, parseGateReport } from './index.js'");
    console.log(`verifyQuote alone: ${verifier} bytes, recompute alone: ${evidence} bytes`);
    expect(verifier).toBeLessThan(27_000);
    expect(evidence).toBeLessThan(20_000);
  });

  test('the browser build asks for ethers and nothing else', async () => {
    const text = readFileSync(join(root, 'dist/browser.js'), 'utf8');
    const imports = [...text.matchAll(/from"([\w@][^"]*)"/g)].map((found) => found[1]);
    expect([...new Set(imports)]).toEqual(['ethers']);
  });
});

describe('contents', () => {
  test('npm pack', async () => {
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
    });
    const [pack] = JSON.parse(stdout) as { files: { path: string }[]; name: string }[];
    const paths = (pack?.files ?? []).map((file) => file.path);
    expect(pack?.name).toBe('@0g/ffe');
    for (const wanted of [
      'README.md',
      'LICENSE',
      'package.json',
      'dist/index.js',
      'dist/index.d.ts',
    ]) {
      expect(paths).toContain(wanted);
    }
    expect(paths).toContain('dist/node/cli.js');
    const stray = paths.filter(
      (p) => !/^(dist\/.*\.(js|d\.ts)|README\.md|LICENSE|package\.json)$/.test(p),
    );
    expect(stray).toEqual([]);
  });

  test('no built-in of Node outside the thin layer', async () => {
    const { stdout } = await run('grep', [
      '-rnE',
      "from '(node:|fs|path|os|crypto)",
      join(root, 'src'),
    ]);
    const files = stdout.trim().split('\n');
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((line) => !line.includes('/src/node/'))).toEqual([]);
  });
});

describe('documentation', () => {
  test("the README's snippets compile", () => {
    const folder = project();
    const all = snippets();
    expect(all.length).toBeGreaterThanOrEqual(4);
    const files = all.map((snippet, i) => {
      const file = join(folder, `snippet${i}.ts`);
      writeFileSync(file, forCompiler(snippet));
      return file;
    });
    const program = ts.createProgram(files, {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      lib: [
        'lib.es2022.d.ts',
        'lib.dom.d.ts',
        'lib.dom.iterable.d.ts',
        'lib.dom.asynciterable.d.ts',
      ],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
    });
    const messages = ts
      .getPreEmitDiagnostics(program)
      .map((d) => `${d.file?.fileName}: ${ts.flattenDiagnosticMessageText(d.messageText, ' ')}`);
    expect(messages).toEqual([]);
  });

  test('the reference is built without a warning', async () => {
    const app = await typedoc.Application.bootstrap({
      entryPoints: [join(root, 'src/node/index.ts')],
      tsconfig: join(root, 'tsconfig.build.json'),
      excludeInternal: true,
      // Links to sources need a remote, which a checkout may not have.
      disableSources: true,
      treatWarningsAsErrors: true,
    });
    const reflection = await app.convert();
    expect(reflection).toBeDefined();
    app.validate(reflection as typedoc.ProjectReflection);
    expect(app.logger.warningCount).toBe(0);
    expect(app.logger.errorCount).toBe(0);
  });
});

describe('the command', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await installed();
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  // As a user types it: npx @0g/ffe …
  const command = async (...args: string[]): Promise<[number, string, string]> => {
    try {
      const npx = ['--offline', '@0g/ffe', ...args];
      const { stdout, stderr } = await run('npx', npx, { cwd: folder });
      return [0, stdout, stderr];
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return [code, stdout, stderr];
    }
  };
  test('help on stdout', async () => {
    const [code, out, err] = await command();
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('submit SESSION DATA.jsonl');
  });
  test('errors as the C++ command says them', async () => {
    expect(await command('fly')).toEqual([
      2,
      '',
      'error: there is no command "fly"\nhint: npx @0g/ffe --help lists the commands\n',
    ]);
    const [code, , err] = await command('submit', '1', 'x.jsonl');
    expect(code).toBe(4);
    expect(err).toContain('hint: give --keystore FILE');
    const [io, , why] = await command('check', '/nowhere');
    expect(io).toBe(1);
    expect(why).toBe('error: cannot open /nowhere\nhint: check the path\n');
  });
  test('check', async () => {
    const file = join(folder, 'rows.jsonl');
    writeFileSync(file, '{"text":"a"}\n{"text":"a"}\n\n{"prompt":"p","completion":"c"}\n');
    expect((await command('check', file)).slice(0, 2)).toEqual([0, '3\n']);
  });
});
