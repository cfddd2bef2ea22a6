import { hkdf } from '@noble/hashes/hkdf';
import {
  sha256 as nobleSha256,
  sha384 as nobleSha384,
  sha512 as nobleSha512,
} from '@noble/hashes/sha2';
import sha3 from 'js-sha3';
import { utf8 } from '../base/bytes.js';

/** Keccak-256 of a stream. js-sha3 is three to four times as fast as noble's, and the storage SDK
 * brings it along. */
export class Keccak256 {
  private readonly state = sha3.keccak256.create();

  update(bytes: Uint8Array): void {
    this.state.update(bytes);
  }

  digest(): Uint8Array {
    return new Uint8Array(this.state.arrayBuffer());
  }
}

export function keccak256(data: Uint8Array | string): Uint8Array {
  const hasher = new Keccak256();
  hasher.update(typeof data === 'string' ? utf8(data) : data);
  return hasher.digest();
}

export const sha256 = (data: Uint8Array): Uint8Array => nobleSha256(data);

export const sha384 = (data: Uint8Array): Uint8Array => nobleSha384(data);
export const sha512 = (data: Uint8Array): Uint8Array => nobleSha512(data);

/** RFC 5869. */
export function hkdfSha256(
  ikm: Uint8Array,
  salt: Uint8Array | undefined,
  info: Uint8Array,
  length: number,
): Uint8Array {
  return hkdf(nobleSha256, ikm, salt, info, length);
}

export { randomBytes } from '@noble/hashes/utils';
