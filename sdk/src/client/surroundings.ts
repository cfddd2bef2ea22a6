// What differs between browsers and Node (src/node/surroundings.ts).
import { fromUtf8 } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { exchange } from '../base/http.js';
import { parseJson } from '../base/json.js';
import { memorySource, type Source } from '../session/blob.js';
import { memoryShelf, type Shelf } from '../storage/shelf.js';
import { newBlobSpool, type SpoolWriter } from '../storage/spool.js';
import { browserGuard, type RollbackGuard } from '../tee/rollback.js';
import { parseNetwork, type Network } from './network.js';
import type { Input } from './types.js';

export interface Surroundings {
  findNetwork(name: string): Promise<Network>;
  newSpool(): Promise<SpoolWriter>;
  /** A source, and a name for messages. */
  sourceOf(input: Input): Promise<[Source, string]>;
  rollbackGuard: RollbackGuard;
  shelf: Shelf;
}

async function findNetwork(name: string): Promise<Network> {
  if (!/^https?:/.test(name)) {
    throw new FFEError(
      'usage',
      `unknown network "${name}"`,
      'give a network object, or the URL of its JSON',
    );
  }
  const { bytes } = await exchange(name, { maxBytes: 1 << 20, hint: 'check the URL' });
  return parseNetwork(parseJson(fromUtf8(bytes, name), name), name);
}

async function sourceOf(input: Input): Promise<[Source, string]> {
  if (typeof input === 'string') {
    throw new FFEError('usage', 'a path is of use in Node only', 'pass a File, Blob or bytes');
  }
  if (input instanceof Uint8Array) return [memorySource(input), 'data'];
  if (typeof input === 'function') {
    return [{ stream: () => iterate(input()) }, 'data'];
  }
  if (typeof Blob !== 'undefined' && input instanceof Blob) {
    const { name } = input as { name?: unknown };
    const stream = (): AsyncIterable<Uint8Array> => iterate(input.stream());
    return [{ stream }, typeof name === 'string' ? name : 'data'];
  }
  throw new FFEError(
    'usage',
    'these data can be read only once, or are no data',
    'pass a File, Blob, bytes, or a function that opens the stream',
  );
}

async function* iterate(
  stream: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (Symbol.asyncIterator in stream) {
    yield* stream;
    return;
  }
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    await reader.cancel();
  }
}

export const browserSurroundings: Surroundings = {
  findNetwork,
  newSpool: newBlobSpool,
  sourceOf,
  rollbackGuard: browserGuard,
  shelf: memoryShelf(),
};
