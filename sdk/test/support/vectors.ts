import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FFEError } from '../../src/base/errors.js';

const folder = fileURLToPath(new URL('../../../tests/vectors/', import.meta.url));

// Vector files are the project's own; their shape is what the tests say it is.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Case = any;

export const vectorFile = (name: string): Case =>
  JSON.parse(readFileSync(folder + name, 'utf8')) as Case;
export const vectorCases = (name: string): Case[] => (vectorFile(name) as { cases: Case[] }).cases;

/** Data of vectors that tell only their length: byte i is (i·7 + 3) mod 251. */
export const pattern = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + 3) % 251);

/** What a call fails with, as `code: message`. */
export async function failure(call: () => unknown): Promise<FFEError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof FFEError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
