import { hkdf } from '@noble/hashes/hkdf';
import {
  sha256 as nobleSha256,
  sha384 as nobleSha384,
  sha512 as nobleSha512,
} from '@noble/hashes/sha2';
import { keccak_256 } from '@noble/hashes/sha3';
import { utf8 } from '../base/bytes.js';

export const keccak256 = (data: Uint8Array | string): Uint8Array =>
  keccak_256(typeof data === 'string' ? utf8(data) : data);

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
export { keccak_256 };
