// The encrypted blob of a dataset or an evaluation pool (docs/spec/blob.md): HPKE in chunks, signed
// by the contributor, padded. Memory does not grow with the data.
import { be64, concat, fromHex, le64, toHex, utf8, type Hex } from '../base/bytes.js';
import { checkAborted, FFEError } from '../base/errors.js';
import { Keccak256, keccak256 } from '../crypto/hash.js';
import {
  hpkeReceiver,
  hpkeSender,
  hpkeTag,
  type HpkeReceiver,
  type HpkeSender,
  type X25519KeyPair,
} from '../crypto/hpke.js';
import type { Domain } from './terms.js';
import { recoverMessage, submissionMessage, type TypedMessage } from './typed-data.js';

export const blobRole = { data: 1, evaluation: 2 } as const;
export type BlobRole = (typeof blobRole)[keyof typeof blobRole];

export const blobHeader = 48;
/** Plaintext bytes of a chunk. */
export const blobChunk = 65536;
const PREFIX = 73; // signature ‖ length
const SEALED_CHUNK = blobChunk + hpkeTag;
const MAX_PLAINTEXT = 2 ** 32;
export const maxBlobData = MAX_PLAINTEXT - PREFIX;

/** What a blob is bound to. `binding`: the session hash for data, the session tag for an evaluation
 * pool, whose contributor is the opener and whose `ownerKeyHash` is zero. */
export interface BlobContext {
  role: BlobRole;
  domain: Domain;
  binding: Hex;
  contributor: Hex;
  enclaveId: Hex;
  ownerKeyHash: Hex;
}

/** Bytes from the start, as often as asked for. */
export interface Source {
  stream(): AsyncIterable<Uint8Array>;
}

export type Sink = (bytes: Uint8Array) => void | Promise<void>;
export type Progress = (done: number, total: number) => void;
/** Signs EIP-712: a wallet. */
export type SignTyped = (message: TypedMessage) => Promise<Hex>;

export interface BlobInfo {
  dataHash: Hex;
  dataLength: number;
  /** Header and body. */
  blobLength: number;
  signature: Hex;
}

export interface BlobOptions {
  progress?: Progress | undefined;
  signal?: AbortSignal | undefined;
  /** For test vectors. */
  ephemeral?: X25519KeyPair;
}

/** The HPKE info. */
export function blobInfo(context: BlobContext): Uint8Array {
  return concat(
    utf8('ffe/blob/v1'),
    Uint8Array.of(context.role),
    fromHex(context.binding),
    fromHex(context.contributor),
    fromHex(context.enclaveId),
  );
}

/** Length after padding: at most 12 % more, and few lengths to tell apart. */
export function padme(length: number): number {
  if (length < 2) return length;
  const exponent = Math.floor(Math.log2(length));
  const kept = Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** Math.max(0, exponent - kept);
  return Math.ceil(length / step) * step;
}

const sealedSize = (plaintext: number): number =>
  plaintext + Math.ceil(plaintext / blobChunk) * hpkeTag;

/** The size of the whole blob for so many bytes of data. */
export const blobSize = (dataLength: number): number =>
  blobHeader + sealedSize(padme(PREFIX + dataLength));

/** keccak256 and length of all data. @throws FFEError `bad_input` above 4 GiB. */
export async function hashSource(
  data: Source,
  signal?: AbortSignal,
): Promise<{ hash: Hex; length: number }> {
  const hasher = new Keccak256();
  let length = 0;
  for await (const bytes of data.stream()) {
    checkAborted(signal);
    hasher.update(bytes);
    length += bytes.length;
    if (length > maxBlobData) {
      throw new FFEError(
        'bad_input',
        `the data are larger than ${maxBlobData} bytes`,
        'split them or drop rows; a blob holds at most 4 GiB',
      );
    }
  }
  return { hash: toHex(hasher.digest()), length };
}

// Collects plaintext into chunks, seals each, hands them on.
class ChunkSealer {
  private readonly buffer = new Uint8Array(blobChunk);
  private filled = 0;
  private done = 0;

  constructor(
    private readonly hpke: HpkeSender,
    private readonly header: Uint8Array,
    private readonly total: number,
    private readonly out: Sink,
    private readonly progress?: Progress,
  ) {}

  async push(data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length;) {
      const n = Math.min(data.length - offset, blobChunk - this.filled);
      this.buffer.set(data.subarray(offset, offset + n), this.filled);
      this.filled += n;
      offset += n;
      if (this.filled === blobChunk || this.done + this.filled === this.total) await this.flush();
    }
  }

  private async flush(): Promise<void> {
    this.done += this.filled;
    const last = this.done === this.total ? 1 : 0;
    const aad = concat(this.header, Uint8Array.of(last));
    await this.out(await this.hpke.seal(this.buffer.subarray(0, this.filled), aad));
    this.filled = 0;
    this.progress?.(this.done, this.total);
  }
}

/** Asks the wallet for a signature and checks whose it is. @throws FFEError `key` */
async function signed(context: BlobContext, sign: SignTyped, dataHash: Hex): Promise<Hex> {
  const message = submissionMessage(
    context.domain,
    context.binding,
    dataHash,
    context.ownerKeyHash,
  );
  const signature = await sign(message);
  if (recoverMessage(message, signature) !== context.contributor) {
    throw new FFEError(
      'key',
      `the submission was signed by another account than ${context.contributor}`,
      'use the key of the contributing account',
    );
  }
  return signature;
}

/** Encrypts, reading the data twice: the signature at the front covers the hash of all.
 * @throws FFEError `bad_input` above 4 GiB, `io` if the data changed between the passes, `key` for
 * a session key of low order or a signature that is not the contributor's. */
export async function sealBlob(
  data: Source,
  sessionKey: Hex,
  context: BlobContext,
  sign: SignTyped,
  out: Sink,
  options: BlobOptions = {},
): Promise<BlobInfo> {
  const { hash, length } = await hashSource(data, options.signal);
  const signature = await signed(context, sign, hash);
  const total = padme(PREFIX + length);
  const hpke = await hpkeSender(fromHex(sessionKey), blobInfo(context), options.ephemeral);
  const header = concat(
    utf8('FFEB'),
    Uint8Array.of(1, context.role, 0, 0),
    be64(BigInt(sealedSize(total))),
    hpke.enc,
  );
  await out(header);
  const sealer = new ChunkSealer(hpke, header, total, out, options.progress);
  await sealer.push(concat(fromHex(signature), le64(BigInt(length))));

  const again = new Keccak256();
  let read = 0;
  for await (const bytes of data.stream()) {
    checkAborted(options.signal);
    read += bytes.length;
    if (read > length) break;
    again.update(bytes);
    await sealer.push(bytes);
  }
  if (read !== length || toHex(again.digest()) !== hash) {
    throw new FFEError('io', 'the data changed while they were encrypted', 'try again');
  }
  const zeros = new Uint8Array(blobChunk);
  for (let left = total - PREFIX - length; left > 0;) {
    const n = Math.min(left, zeros.length);
    await sealer.push(zeros.subarray(0, n));
    left -= n;
  }
  return {
    dataHash: hash,
    dataLength: length,
    blobLength: blobHeader + sealedSize(total),
    signature,
  };
}

type BlobFault = 'invalid' | 'not_available' | 'bad_signature';

/** `reason` of the error tells which: the bytes are all there and are no blob of this context;
 * fewer bytes than announced; opens, but the contributor did not sign. */
function blobError(reason: BlobFault, message: string): FFEError {
  return new FFEError(reason === 'not_available' ? 'network' : 'corrupt', `blob: ${message}`, '', {
    reason,
  });
}

const invalid = (why: string): never => {
  throw blobError('invalid', why);
};

// Takes exact amounts off a stream.
class Puller {
  private rest = new Uint8Array();
  private readonly iterator: AsyncIterator<Uint8Array>;

  constructor(source: Source) {
    this.iterator = source.stream()[Symbol.asyncIterator]();
  }

  /** At most `size` bytes; fewer only at the end. */
  async take(size: number): Promise<Uint8Array> {
    const out = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      if (this.rest.length === 0) {
        const next = await this.iterator.next();
        if (next.done === true) break;
        this.rest = new Uint8Array(next.value);
        continue;
      }
      const n = Math.min(size - filled, this.rest.length);
      out.set(this.rest.subarray(0, n), filled);
      this.rest = this.rest.subarray(n);
      filled += n;
    }
    return out.subarray(0, filled);
  }

  async close(): Promise<void> {
    await this.iterator.return?.();
  }
}

interface Header {
  bytes: Uint8Array;
  body: number;
  enc: Uint8Array;
}

function parseHeader(bytes: Uint8Array, role: BlobRole): Header {
  if (toHex(bytes.subarray(0, 4)) !== toHex(utf8('FFEB'))) invalid('does not begin with FFEB');
  if (bytes[4] !== 1) invalid(`version ${bytes[4]} at byte 4 is not 1`);
  if (bytes[5] !== role) invalid(`role at byte 5 is ${bytes[5]}`);
  if (bytes[6] !== 0 || bytes[7] !== 0) invalid('reserved bytes 6 and 7 are not zero');
  const body = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(8));
  if (body > sealedSize(MAX_PLAINTEXT)) invalid('body length at byte 8 is above 4 GiB');
  const tail = body % SEALED_CHUNK;
  if (body === 0 || (tail !== 0 && tail <= hpkeTag)) {
    invalid(`body length ${body} at byte 8 fits no number of chunks`);
  }
  return { bytes, body, enc: bytes.subarray(16, 48) };
}

// Follows the plaintext through prefix, data and zeros.
class PlaintextReader {
  private readonly hasher = new Keccak256();
  private signature: Hex = '0x';
  private length = 0;
  private offset = 0;

  constructor(
    private readonly total: number,
    private readonly out: Sink,
  ) {}

  async push(plain: Uint8Array): Promise<void> {
    let chunk = plain;
    if (this.offset === 0) {
      if (chunk.length < PREFIX) invalid('the plaintext is shorter than 73 bytes');
      this.signature = toHex(chunk.subarray(0, 65));
      const length = new DataView(chunk.buffer, chunk.byteOffset).getBigUint64(65, true);
      if (length > BigInt(maxBlobData) || padme(PREFIX + Number(length)) !== this.total) {
        invalid(`data length ${length} does not go with a plaintext of ${this.total} bytes`);
      }
      this.length = Number(length);
      this.offset = PREFIX;
      chunk = chunk.subarray(PREFIX);
    }
    const left = Math.max(0, PREFIX + this.length - this.offset);
    const data = chunk.subarray(0, Math.min(chunk.length, left));
    if (data.length > 0) {
      this.hasher.update(data);
      await this.out(data);
    }
    const stray = chunk.subarray(data.length).findIndex((byte) => byte !== 0);
    if (stray >= 0) {
      invalid(`padding at plaintext byte ${this.offset + data.length + stray} is not zero`);
    }
    this.offset += chunk.length;
  }

  finish(context: BlobContext, blobLength: number): BlobInfo {
    const dataHash = toHex(this.hasher.digest());
    const message = submissionMessage(
      context.domain,
      context.binding,
      dataHash,
      context.ownerKeyHash,
    );
    let signer: Hex | undefined;
    try {
      signer = recoverMessage(message, this.signature);
    } catch {
      // no signature at all
    }
    if (signer !== context.contributor) {
      throw blobError('bad_signature', `the data are not signed by ${context.contributor}`);
    }
    return { dataHash, dataLength: this.length, blobLength, signature: this.signature };
  }
}

async function receive(
  key: X25519KeyPair,
  header: Header,
  context: BlobContext,
): Promise<HpkeReceiver> {
  try {
    return await hpkeReceiver(key, header.enc, blobInfo(context));
  } catch {
    return invalid('the encapsulated key at byte 16 is not usable');
  }
}

/** Gives the data to `out` as it is decrypted; what it gave before an error is void, because the
 * signature over the whole is checked last. @throws FFEError with `reason` `invalid`,
 * `not_available` or `bad_signature`. */
export async function openBlob(
  blob: Source,
  sessionKey: X25519KeyPair,
  context: BlobContext,
  out: Sink,
  options: BlobOptions = {},
): Promise<BlobInfo> {
  const input = new Puller(blob);
  const bytes = await input.take(blobHeader);
  const missing = (have: number, want: number): never => {
    throw blobError('not_available', `only ${have} of ${want} bytes are available`);
  };
  if (bytes.length < blobHeader) missing(bytes.length, blobHeader);
  const header = parseHeader(bytes, context.role);
  let left = header.body;
  const take = async (size: number): Promise<Uint8Array> => {
    checkAborted(options.signal);
    const got = await input.take(size);
    left -= got.length;
    if (got.length < size) missing(header.body - left, header.body);
    return got;
  };
  try {
    const hpke = await receive(sessionKey, header, context);
    const chunks = Math.ceil(header.body / SEALED_CHUNK);
    const reader = new PlaintextReader(header.body - chunks * hpkeTag, out);
    for (let chunk = 0; left > 0; ++chunk) {
      const sealed = await take(Math.min(left, SEALED_CHUNK));
      const aad = concat(header.bytes, Uint8Array.of(left === 0 ? 1 : 0));
      const plain = await hpke
        .open(sealed, aad)
        .catch(() =>
          invalid(
            `chunk ${chunk} does not open: not encrypted for this session, enclave and ` +
              'contributor, or altered',
          ),
        );
      await reader.push(plain);
      options.progress?.(header.body - left, header.body);
    }
    for (
      let rest = await input.take(blobChunk);
      rest.length > 0;
      rest = await input.take(blobChunk)
    ) {
      if (rest.some((byte) => byte !== 0)) invalid('bytes after the body are not zero');
    }
    return reader.finish(context, blobHeader + header.body);
  } catch (error) {
    // "Invalid" is said only of a body that is all there.
    if (error instanceof FFEError && error.reason === 'invalid') {
      while (left > 0) await take(Math.min(left, SEALED_CHUNK));
    }
    throw error;
  } finally {
    await input.close();
  }
}

/** A source that holds its bytes in memory. */
export function memorySource(bytes: Uint8Array): Source {
  return {
    async *stream() {
      for (let offset = 0; offset < bytes.length; offset += blobChunk) {
        yield bytes.subarray(offset, offset + blobChunk);
      }
    },
  };
}

export const dataHashOf = (data: Uint8Array): Hex => toHex(keccak256(data));
