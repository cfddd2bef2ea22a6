// Blobs that wait to be committed, in files: they outlive this process.
import { constants, existsSync } from 'node:fs';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toHash } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, parseJson } from '../base/json.js';
import type { Note, Shelf } from '../storage/shelf.js';
import { dataFolder, fileSpool, newFileSpool, openFileSpool } from './files.js';

const folder = (): string => join(dataFolder(), 'submissions');
const blobOf = (name: string): string => join(folder(), `${name}.blob`);
const noteOf = (name: string): string => join(folder(), `${name}.json`);
const partOf = (name: string): string => join(folder(), `${name}.${process.pid}.part`);

async function readNote(name: string): Promise<Note | undefined> {
  try {
    const file = noteOf(name);
    const f = new Fields(parseJson(await readFile(file, 'utf8'), file, { maxLength: 4096 }), file);
    return { dataHash: toHash(f.string('dataHash')), root: toHash(f.string('root')) };
  } catch {
    return undefined; // none, or half written: sealed anew
  }
}

async function writable(): Promise<boolean> {
  try {
    await mkdir(folder(), { recursive: true, mode: 0o700 });
    await access(folder(), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const clear = async (name: string): Promise<void> => {
  for (const file of [noteOf(name), blobOf(name)]) await rm(file, { force: true });
};

export const fileShelf: Shelf = {
  async find(name) {
    const note = await readNote(name);
    if (note === undefined || !existsSync(blobOf(name))) return undefined;
    return { note, blob: await openFileSpool(blobOf(name), () => clear(name)) };
  },

  // Where nothing can be kept, a temporary file serves, and only this call goes on with it.
  async create(name) {
    if (!(await writable())) return newFileSpool();
    const part = partOf(name);
    return fileSpool(part, async () => {
      await rm(part, { force: true });
      await clear(name);
    });
  },

  async keep(name, blob, note) {
    if (!existsSync(partOf(name))) return blob;
    try {
      await rename(partOf(name), blobOf(name));
      await writeFile(noteOf(name), JSON.stringify(note), { mode: 0o600 });
      return blob;
    } catch (cause) {
      throw new FFEError('io', `${folder()}: cannot be written`, 'check that the disk has room', {
        cause,
      });
    }
  },
};
