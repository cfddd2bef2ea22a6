// What Node adds: files as data, temporary files as spools, networks by name.
import {
  closeSync,
  createReadStream,
  existsSync,
  openSync,
  read as readFd,
  write as writeFd,
} from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { FFEError } from '../base/errors.js';
import { parseJson } from '../base/json.js';
import { parseNetwork, type Network } from '../client/network.js';
import type { Source } from '../session/blob.js';
import type { Spool, SpoolWriter } from '../storage/spool.js';

const readAt = promisify(readFd);
const writeAt = promisify(writeFd);

export const ioError = (message: string, cause?: unknown, hint = 'check the path'): FFEError =>
  new FFEError('io', message, hint, { cause });

/** A file as a source. @throws FFEError `io` */
export async function fileSource(path: string): Promise<[Source, string]> {
  const about = await stat(path).catch(() => undefined);
  if (about?.isFile() !== true) throw ioError(`cannot open ${path}`);
  const stream = (): AsyncIterable<Uint8Array> =>
    createReadStream(path, { highWaterMark: 1 << 18 });
  return [{ stream }, basename(path)];
}

// What a program forgot to discard is closed with its last reference.
const forgotten = new FinalizationRegistry<number>((fd) => closeSync(fd));

// The bytes behind a descriptor; `remove` runs when they are discarded.
function spoolOf(fd: number, size: number, remove: () => Promise<void>): Spool {
  let open = true;
  const spool: Spool = {
    size,
    async slice(start, end) {
      const out = new Uint8Array(end - start);
      const { bytesRead } = await readAt(fd, out, 0, out.length, start);
      return out.subarray(0, bytesRead);
    },
    async discard() {
      if (!open) return;
      open = false;
      forgotten.unregister(spool);
      closeSync(fd);
      await remove();
    },
  };
  forgotten.register(spool, fd, spool);
  return spool;
}

/** Spools into a new file that only this user can read. */
export async function fileSpool(path: string, remove: () => Promise<void>): Promise<SpoolWriter> {
  await rm(path, { force: true });
  const fd = openSync(path, 'wx+', 0o600);
  let size = 0;
  return {
    async write(bytes) {
      try {
        for (let done = 0; done < bytes.length;) {
          const { bytesWritten } = await writeAt(fd, bytes, done, bytes.length - done, size);
          done += bytesWritten;
          size += bytesWritten;
        }
      } catch (cause) {
        throw ioError(`${path}: cannot be written`, cause, 'check that the disk has room');
      }
    },
    finish: async () => spoolOf(fd, size, remove),
    async discard() {
      closeSync(fd);
      await remove();
    },
  };
}

/** A file that is there already, as a spool. */
export async function openFileSpool(path: string, remove: () => Promise<void>): Promise<Spool> {
  const { size } = await stat(path);
  return spoolOf(openSync(path, 'r'), size, remove);
}

/** Spools into a temporary file that is gone with this process however it ends: it has no name. */
export async function newFileSpool(): Promise<SpoolWriter> {
  const folder = await mkdtemp(join(tmpdir(), 'ffe-'));
  // Again at the end, since Windows removes no file that is in use.
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const writer = await fileSpool(join(folder, 'spool'), remove);
  await remove().catch(() => undefined);
  return writer;
}

/** Writes an adapter folder, which must not exist yet: all of it or nothing. */
export async function writeFolder(
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  if (existsSync(folder))
    throw new FFEError('usage', `${folder} exists already`, 'name a new folder');
  const beside = `${folder}.part`;
  try {
    await rm(beside, { recursive: true, force: true });
    for (const [name, content] of files) {
      await mkdir(dirname(join(beside, name)), { recursive: true });
      await writeFile(join(beside, name), content);
    }
    await rename(beside, folder);
  } catch (cause) {
    await rm(beside, { recursive: true, force: true });
    throw ioError(`${folder}: cannot be written`, cause);
  }
}

const home = (variable: string, ...fallback: string[]): string => {
  const set = process.env[variable];
  return join(set !== undefined && set !== '' ? set : join(homedir(), ...fallback), 'ffe');
};

/** Where this user's programs of the project keep what they remember. */
export const dataFolder = (): string => home('XDG_DATA_HOME', '.local', 'share');

async function readNetwork(file: string): Promise<Network> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new FFEError('usage', `cannot open ${file}`, 'check the path', { cause });
  });
  return parseNetwork(parseJson(text, file, { maxLength: 1 << 20 }), file);
}

/** The names of the command line: a path to a network file, `devnet` for the running local network,
 * or NAME for `~/.config/ffe/networks/NAME.json`. @throws FFEError `usage` */
export async function findNetwork(name: string): Promise<Network> {
  if (name.includes('/') || name.endsWith('.json')) return readNetwork(name);
  if (name === 'devnet') {
    const file = join(dataFolder(), 'devnet', 'network.json');
    if (!existsSync(file)) {
      throw new FFEError('usage', 'no devnet is running', 'start one: ffe devnet up');
    }
    return readNetwork(file);
  }
  const folder = join(home('XDG_CONFIG_HOME', '.config'), 'networks');
  if (existsSync(join(folder, `${name}.json`))) return readNetwork(join(folder, `${name}.json`));
  const names = (await readdir(folder).catch(() => []))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -5));
  throw new FFEError(
    'usage',
    `unknown network "${name}"`,
    `known: ${['devnet', ...names].join(', ')}; or give the path of a network file`,
  );
}
