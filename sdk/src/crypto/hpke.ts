// HPKE (RFC 9180) base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305.
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305';
import { CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import { x25519 } from '@noble/curves/ed25519';
import { concat } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';

export const hpkeTag = 16;
export const hpkeEnc = 32;

/** Keys are 32 bytes each. */
export interface X25519KeyPair {
  secret: Uint8Array;
  publicKey: Uint8Array;
}

export function x25519KeyPair(secret: Uint8Array): X25519KeyPair {
  return { secret, publicKey: x25519.getPublicKey(secret) };
}

/** @throws FFEError `key` if the point has low order: everybody would know the shared secret. */
export function checkX25519PublicKey(publicKey: Uint8Array, what: string): void {
  try {
    x25519.getSharedSecret(x25519.utils.randomPrivateKey(), publicKey);
  } catch (cause) {
    throw new FFEError('key', `${what} is an X25519 point of low order`, '', { cause });
  }
}

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Chacha20Poly1305(),
});

// A copy, since the library takes whole ArrayBuffers.
const buffer = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer as ArrayBuffer;

async function cryptoKeys(pair: X25519KeyPair): Promise<CryptoKeyPair> {
  return {
    privateKey: await suite.kem.importKey('raw', buffer(pair.secret), false),
    publicKey: await suite.kem.importKey('raw', buffer(pair.publicKey), true),
  };
}

/** Seals messages in order. */
export interface HpkeSender {
  readonly enc: Uint8Array;
  seal(plaintext: Uint8Array, aad?: Uint8Array): Promise<Uint8Array>;
}

/** Opens messages in order. @throws FFEError `corrupt` if one does not open. */
export interface HpkeReceiver {
  open(ciphertext: Uint8Array, aad?: Uint8Array): Promise<Uint8Array>;
}

/** `ephemeral` is for test vectors; without it the library draws one.
 * @throws FFEError `key` for a recipient of low order. */
export async function hpkeSender(
  recipient: Uint8Array,
  info: Uint8Array,
  ephemeral?: X25519KeyPair,
): Promise<HpkeSender> {
  checkX25519PublicKey(recipient, "the recipient's key");
  const context = await suite.createSenderContext({
    recipientPublicKey: await suite.kem.importKey('raw', buffer(recipient), true),
    info: buffer(info),
    ...(ephemeral && { ekm: await cryptoKeys(ephemeral) }),
  });
  return {
    enc: new Uint8Array(context.enc),
    seal: async (plaintext, aad = new Uint8Array()) =>
      new Uint8Array(await context.seal(buffer(plaintext), buffer(aad))),
  };
}

/** @throws FFEError `key` for an encapsulated key of low order. */
export async function hpkeReceiver(
  recipient: X25519KeyPair,
  enc: Uint8Array,
  info: Uint8Array,
): Promise<HpkeReceiver> {
  checkX25519PublicKey(enc, 'the encapsulated key');
  const context = await suite.createRecipientContext({
    recipientKey: await cryptoKeys(recipient),
    enc: buffer(enc),
    info: buffer(info),
  });
  return {
    open: async (ciphertext, aad = new Uint8Array()) => {
      try {
        return new Uint8Array(await context.open(buffer(ciphertext), buffer(aad)));
      } catch (cause) {
        throw new FFEError('corrupt', 'HPKE: the message does not open', '', { cause });
      }
    },
  };
}

/** Single shot: `enc(32) ‖ ciphertext ‖ tag(16)`. */
export async function hpkeSealSingle(
  recipient: Uint8Array,
  info: Uint8Array,
  plaintext: Uint8Array,
  ephemeral?: X25519KeyPair,
): Promise<Uint8Array> {
  const sender = await hpkeSender(recipient, info, ephemeral);
  return concat(sender.enc, await sender.seal(plaintext));
}

/** @throws FFEError `corrupt` */
export async function hpkeOpenSingle(
  recipient: X25519KeyPair,
  info: Uint8Array,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  if (sealed.length < hpkeEnc + hpkeTag) throw new FFEError('corrupt', 'HPKE: too short');
  try {
    const receiver = await hpkeReceiver(recipient, sealed.subarray(0, hpkeEnc), info);
    return await receiver.open(sealed.subarray(hpkeEnc));
  } catch (cause) {
    if (cause instanceof FFEError && cause.code === 'corrupt') throw cause;
    throw new FFEError('corrupt', 'HPKE: the encapsulated key is not usable', '', { cause });
  }
}
