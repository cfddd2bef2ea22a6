// The artifact's archive (docs/spec/artifact.md): a ustar of regular files with nothing left open.
import { utf8 } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';

const BLOCK = 512;
const MAX_FILE = 2 ** 33 - 1; // eleven octal digits

const goodName = (name: string): boolean =>
  name.length <= 100 &&
  name.split('/').every((part) => /^[A-Za-z0-9._-]+$/.test(part) && part !== '.' && part !== '..');

const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

function header(name: string, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (offset: number, text: string): void => block.set(utf8(text), offset);
  const octal = (offset: number, digits: number, value: number): void =>
    put(offset, value.toString(8).padStart(digits, '0'));
  put(0, name);
  octal(100, 7, 0o644);
  octal(108, 7, 0); // uid
  octal(116, 7, 0); // gid
  octal(124, 11, size);
  octal(136, 11, 0); // mtime
  put(148, '        ');
  put(156, '0');
  put(257, 'ustar\0' + '00');
  octal(329, 7, 0); // device numbers
  octal(337, 7, 0);
  octal(
    148,
    6,
    block.reduce((sum, byte) => sum + byte, 0),
  );
  block[154] = 0;
  return block;
}

/** @throws FFEError `bad_input` for a name that is not plain and relative. */
export function writeTar(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const names = [...files.keys()].sort(); // ASCII: the order of bytes
  const total = names.reduce(
    (sum, name) => sum + BLOCK + padded((files.get(name) as Uint8Array).length),
    2 * BLOCK,
  );
  const out = new Uint8Array(total);
  let offset = 0;
  for (const name of names) {
    if (!goodName(name)) {
      throw new FFEError('bad_input', `tar: "${name}" is not a plain relative name`);
    }
    const content = files.get(name) as Uint8Array;
    if (content.length > MAX_FILE) {
      throw new FFEError('bad_input', `tar: ${name} is larger than 8 GiB`);
    }
    out.set(header(name, content.length), offset);
    out.set(content, offset + BLOCK);
    offset += BLOCK + padded(content.length);
  }
  return out;
}

/** Accepts what {@link writeTar} makes and nothing else. @throws FFEError `bad_input` with the
 * offset. */
export function readTar(tar: Uint8Array): Map<string, Uint8Array> {
  const bad = (offset: number, why: string): never => {
    throw new FFEError('bad_input', `tar: ${why} at byte ${offset}`);
  };
  const files = new Map<string, Uint8Array>();
  let offset = 0;
  let last = '';
  for (;;) {
    if (tar.length - offset < BLOCK) bad(offset, 'the archive ends early');
    const block = tar.subarray(offset, offset + BLOCK);
    if (block[0] === 0) break;
    const text = String.fromCharCode(...block.subarray(0, 100));
    const name = text.split('\0', 1)[0] as string;
    if (!goodName(name)) bad(offset, 'not a plain relative name');
    if (name <= last) bad(offset, 'names are not in order');
    const digits = String.fromCharCode(...block.subarray(124, 135));
    if (!/^[0-7]{11}$/.test(digits)) bad(offset + 124, 'size is not octal');
    const size = parseInt(digits, 8);
    const expected = header(name, size);
    if (block.some((byte, i) => byte !== expected[i])) bad(offset, 'not a header of this format');
    offset += BLOCK;
    if (tar.length - offset < padded(size)) bad(offset, `the archive ends within ${name}`);
    const content = tar.subarray(offset, offset + size);
    const padding = tar.subarray(offset + size, offset + padded(size));
    if (padding.some((byte) => byte !== 0)) bad(offset + size, 'padding is not zero');
    files.set(name, content);
    offset += padded(size);
    last = name;
  }
  if (tar.length - offset !== 2 * BLOCK) bad(offset, 'not exactly two end blocks');
  if (tar.subarray(offset).some((byte) => byte !== 0)) bad(offset, 'an end block is not zero');
  return files;
}
