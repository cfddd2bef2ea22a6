// Owners' keys and what is sealed to them (docs/spec/artifact.md).
import { concat, fromHex, toHex, utf8, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import {
  checkSecp256k1PublicKey,
  eciesOpen,
  eciesSeal,
  type SharedSecret,
} from '../crypto/ecies.js';
import { hkdfSha256, keccak256 } from '../crypto/hash.js';
import {
  checkX25519PublicKey,
  hpkeOpenSingle,
  hpkeSealSingle,
  x25519KeyPair,
  type X25519KeyPair,
} from '../crypto/hpke.js';
import type { SignTyped } from './blob.js';
import { abiHash, type Domain } from './terms.js';
import { ownerKeyMessage, recoverMessage } from './typed-data.js';

/** keccak256 of the key as submitted: 65 bytes (uncompressed secp256k1, the owner's own) or 32
 * (X25519). */
export const ownerKeyHash = (ownerKey: Uint8Array): Hex => toHex(keccak256(ownerKey));

function badKey(why: string): never {
  throw new FFEError(
    'key',
    `owner key: ${why}`,
    "submit the account's own uncompressed secp256k1 public key (65 bytes) or an X25519 public " +
      'key (32 bytes)',
  );
}

/** The enclave excludes a party whose key fails this. @throws FFEError `key` */
export function checkOwnerKey(ownerKey: Uint8Array, owner: Hex): void {
  if (ownerKey.length === 65) {
    try {
      checkSecp256k1PublicKey(ownerKey);
    } catch {
      badKey('not a point of secp256k1');
    }
    if (toHex(keccak256(ownerKey.subarray(1)).subarray(12)) !== owner) {
      badKey(`belongs to another account than ${owner}`);
    }
    return;
  }
  if (ownerKey.length !== 32) badKey(`has ${ownerKey.length} bytes, not 65 or 32`);
  try {
    checkX25519PublicKey(ownerKey, 'owner key');
  } catch {
    badKey('an X25519 point of low order');
  }
}

/** X25519 key of a wallet without raw ECDH, out of its OwnerKey signature. The wallet is asked
 * twice. @throws FFEError `key` if it answers differently or not for `owner`. */
export async function deriveOwnerKey(
  sign: SignTyped,
  domain: Domain,
  sessionTag: Hex,
  owner: Hex,
): Promise<X25519KeyPair> {
  const message = ownerKeyMessage(domain, sessionTag);
  const first = await sign(message);
  const second = await sign(message);
  if (first !== second) {
    throw new FFEError(
      'key',
      'this wallet signs the same message differently each time',
      'use a keystore key as owner key',
    );
  }
  if (recoverMessage(message, first) !== owner) {
    throw new FFEError('key', `the owner key was signed by another account than ${owner}`);
  }
  const secret = hkdfSha256(
    fromHex(first).subarray(0, 64),
    utf8('ffe/owner/v1'),
    fromHex(sessionTag),
    32,
  );
  secret[0] = (secret[0] as number) & 0xf8; // RFC 7748 §5
  secret[31] = ((secret[31] as number) & 0x7f) | 0x40;
  return x25519KeyPair(secret);
}

const keyInfo = (sessionHash: Hex, owner: Hex): Uint8Array =>
  concat(utf8('ffe/key/v1'), fromHex(sessionHash), fromHex(owner));

/** K sealed for one owner: ECIES (129 bytes) for secp256k1, HPKE single shot (80) for X25519. */
export async function sealKey(
  key: Uint8Array,
  ownerKey: Uint8Array,
  sessionHash: Hex,
  owner: Hex,
  ephemeral?: X25519KeyPair,
): Promise<Uint8Array> {
  checkOwnerKey(ownerKey, owner);
  if (ownerKey.length === 65) return eciesSeal(ownerKey, key);
  return hpkeSealSingle(ownerKey, keyInfo(sessionHash, owner), key, ephemeral);
}

/** @throws FFEError `corrupt` if the key was not sealed for this owner. */
export const openKeySecp256k1 = (sealed: Uint8Array, ecdh: SharedSecret): Promise<Uint8Array> =>
  eciesOpen(ecdh, sealed);

/** @throws FFEError `corrupt` if the key was not sealed for this owner. */
export const openKeyX25519 = (
  sealed: Uint8Array,
  ownerKey: X25519KeyPair,
  sessionHash: Hex,
  owner: Hex,
): Promise<Uint8Array> => hpkeOpenSingle(ownerKey, keyInfo(sessionHash, owner), sealed);

/** What a key sent to an enclave for a token's buyer is bound to. */
export interface Transfer {
  chainId: number;
  inft: Hex;
  tokenId: bigint;
  enclaveId: Hex;
  buyer: Hex;
  buyerKeyHash: Hex;
  deadline: number;
}

/** HPKE info of a transfer. */
export function transferInfo(transfer: Transfer): Uint8Array {
  const hash = abiHash(
    ['uint256', 'address', 'uint256', 'bytes32', 'address', 'bytes32', 'uint256'],
    [
      transfer.chainId,
      transfer.inft,
      transfer.tokenId,
      transfer.enclaveId,
      transfer.buyer,
      transfer.buyerKeyHash,
      transfer.deadline,
    ],
  );
  return concat(utf8('ffe/transfer/v1'), fromHex(hash));
}
