// ECIES on secp256k1 as eciesjs 0.4 and 0G's services do it (docs/spec/crypto.md):
// ephemeral public key(65) ‖ nonce(16) ‖ tag(16) ‖ ciphertext.
import { gcm } from '@noble/ciphers/aes';
import { secp256k1 } from '@noble/curves/secp256k1';
import { concat } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { hkdfSha256, randomBytes } from './hash.js';

const EPHEMERAL = 65;
const NONCE = 16;
const TAG = 16;
export const eciesOverhead = EPHEMERAL + NONCE + TAG;

/** ECDH on secp256k1: both points uncompressed, 65 bytes. A wallet may keep the private key. */
export type SharedSecret = (publicKey: Uint8Array) => Uint8Array | Promise<Uint8Array>;

const keyOf = (ephemeral: Uint8Array, shared: Uint8Array): Uint8Array =>
  hkdfSha256(concat(ephemeral, shared), undefined, new Uint8Array(), 32);

/** @throws FFEError `bad_input` unless `key` is an uncompressed point of the curve. */
export function checkSecp256k1PublicKey(key: Uint8Array): void {
  try {
    if (key.length !== EPHEMERAL || key[0] !== 4) throw new Error('form');
    secp256k1.ProjectivePoint.fromHex(key).assertValidity();
  } catch (cause) {
    throw new FFEError('bad_input', 'not an uncompressed point of secp256k1', '', { cause });
  }
}

export function sharedSecretOf(privateKey: Uint8Array): SharedSecret {
  return (publicKey) => secp256k1.getSharedSecret(privateKey, publicKey, false);
}

export function eciesSeal(recipient: Uint8Array, plaintext: Uint8Array): Uint8Array {
  checkSecp256k1PublicKey(recipient);
  const secret = secp256k1.utils.randomPrivateKey();
  const ephemeral = secp256k1.getPublicKey(secret, false);
  const nonce = randomBytes(NONCE);
  const key = keyOf(ephemeral, secp256k1.getSharedSecret(secret, recipient, false));
  const sealed = gcm(key, nonce).encrypt(plaintext);
  const split = sealed.length - TAG;
  return concat(ephemeral, nonce, sealed.subarray(split), sealed.subarray(0, split));
}

/** @throws FFEError `corrupt` if it was not sealed for this key. */
export async function eciesOpen(ecdh: SharedSecret, sealed: Uint8Array): Promise<Uint8Array> {
  if (sealed.length < eciesOverhead) throw new FFEError('corrupt', 'ECIES: too short');
  const ephemeral = sealed.subarray(0, EPHEMERAL);
  const nonce = sealed.subarray(EPHEMERAL, EPHEMERAL + NONCE);
  const tag = sealed.subarray(EPHEMERAL + NONCE, eciesOverhead);
  try {
    checkSecp256k1PublicKey(ephemeral);
    const key = keyOf(ephemeral, await ecdh(ephemeral));
    return gcm(key, nonce).decrypt(concat(sealed.subarray(eciesOverhead), tag));
  } catch (cause) {
    throw new FFEError('corrupt', 'ECIES: sealed for another key, or altered', '', { cause });
  }
}
