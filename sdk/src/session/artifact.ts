// The encrypted artifact (docs/spec/artifact.md): nonce(12) ‖ AES-256-GCM ciphertext ‖ tag(16).
import { gcm } from '@noble/ciphers/aes';
import { concat, fromHex, utf8, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { hkdfSha256, sha256 } from '../crypto/hash.js';

const NONCE = 12;
export const artifactOverhead = NONCE + 16;

export interface ArtifactKey {
  key: Uint8Array;
  nonce: Uint8Array;
}

/** K ‖ nonce of a tar, as the enclave derives them: another tar, another key. */
export function deriveArtifactKey(
  sessionSecret: Uint8Array,
  sessionHash: Hex,
  tar: Uint8Array,
): ArtifactKey {
  const info = concat(utf8('ffe/artifact/v1'), fromHex(sessionHash), sha256(tar));
  const okm = hkdfSha256(sessionSecret, undefined, info, 44);
  return { key: okm.slice(0, 32), nonce: okm.slice(32) };
}

export function sealArtifact({ key, nonce }: ArtifactKey, tar: Uint8Array): Uint8Array {
  return concat(nonce, gcm(key, nonce).encrypt(tar));
}

/** The tar. @throws FFEError `corrupt` if the key is not the artifact's or the bytes were changed. */
export function openArtifact(key: Uint8Array, artifact: Uint8Array): Uint8Array {
  const fail = (cause?: unknown): never => {
    throw new FFEError('corrupt', 'the artifact does not open with this key', '', { cause });
  };
  if (key.length !== 32 || artifact.length < artifactOverhead) return fail();
  try {
    return gcm(key, artifact.subarray(0, NONCE)).decrypt(artifact.subarray(NONCE));
  } catch (cause) {
    return fail(cause);
  }
}
