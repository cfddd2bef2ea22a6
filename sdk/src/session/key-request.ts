// What a token's buyer signs before its key is sealed anew (docs/spec/artifact.md), and the proofs that
// the token's contract takes.
import { AbiCoder } from 'ethers';
import { fromHex, toAddress, toHash, toHex, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, type Json } from '../base/json.js';
import type { TransferValidityProof } from '../chain/abi/CoOwnedINFT.js';
import { checkOwnerKey } from './owner-key.js';
import { recoverMessage, typedMessage, type TypedMessage } from './typed-data.js';

/** Made by the buyer, given to the seller. Plain JSON; nothing in it is secret. */
export interface KeyRequest {
  /** Decimal. */
  tokenId: string;
  receiver: Hex;
  /** The receiver's owner key: 65 bytes secp256k1 or 32 bytes X25519. */
  key: Hex;
  /** Unix seconds. */
  deadline: number;
  salt: Hex;
  signature: Hex;
}

/** The token's place and data, which both proofs name. */
export interface TokenData {
  chainId: number;
  inft: Hex;
  /** ERC7857Verifier. */
  verifier: Hex;
  tokenId: bigint;
  artifactRoot: Hex;
}

type Terms = Pick<KeyRequest, 'receiver' | 'key' | 'deadline' | 'salt'>;

const inDomain = (
  { chainId, verifier, inft, tokenId, artifactRoot }: TokenData,
  name: 'AccessProof' | 'OwnershipProof',
  { receiver, key, deadline, salt }: Terms,
  sealed: { sealedKey?: Hex },
): TypedMessage =>
  typedMessage({ chainId, coordinator: verifier }, name, {
    nft: inft,
    tokenId,
    receiver,
    oldDataHash: artifactRoot,
    newDataHash: artifactRoot,
    ...sealed,
    encryptedPubKey: key,
    deadline,
    salt,
  });

/** What the buyer signs. */
export const accessMessage = (token: TokenData, terms: Terms): TypedMessage =>
  inDomain(token, 'AccessProof', terms, {});

/** What the enclave signs. */
export const ownershipMessage = (token: TokenData, terms: Terms, sealedKey: Hex): TypedMessage =>
  inDomain(token, 'OwnershipProof', terms, { sealedKey });

const nonce = (tokenId: bigint, { receiver, deadline, salt }: Terms): Hex =>
  AbiCoder.defaultAbiCoder().encode(
    ['uint256', 'address', 'uint64', 'bytes32'],
    [tokenId, receiver, deadline, salt],
  ) as Hex;

/** What `iTransfer` takes. `ownership`: the enclave's half, with a salt of its own. */
export function transferProof(
  { tokenId, artifactRoot }: TokenData,
  access: KeyRequest,
  ownership: { salt: Hex; sealedKey: Hex; signature: Hex },
): TransferValidityProof {
  const shared = {
    oldDataHash: artifactRoot,
    newDataHash: artifactRoot,
    encryptedPubKey: access.key,
  };
  return {
    accessProof: { ...shared, nonce: nonce(tokenId, access), proof: access.signature },
    ownershipProof: {
      ...shared,
      oracleType: 0n, // TEE
      sealedKey: ownership.sealedKey,
      nonce: nonce(tokenId, { ...access, salt: ownership.salt }),
      proof: ownership.signature,
    },
  };
}

function ownerKeyText(text: string, path: string): Hex {
  const key = fromHex(text, path);
  if (key.length !== 32 && key.length !== 65) {
    throw new FFEError('bad_input', `${path} has ${key.length} bytes, not 32 or 65`);
  }
  return toHex(key);
}

/** @throws FFEError `bad_input` naming the member. */
export function keyRequestFromJson(json: Json): KeyRequest {
  const f = new Fields(json, 'key request');
  const out: KeyRequest = {
    tokenId: f.decimal('tokenId', 256).toString(),
    receiver: toAddress(f.string('receiver'), f.path('receiver')),
    key: ownerKeyText(f.string('key'), f.path('key')),
    deadline: f.integer('deadline'),
    salt: toHash(f.string('salt'), f.path('salt')),
    signature: f.hex('signature', 65),
  };
  f.done();
  return out;
}

/** Checks what a buyer sent. `now`: the chain's clock. @throws FFEError `key`, `bad_input` */
export function checkKeyRequest(request: KeyRequest, token: TokenData, now: number): void {
  const again = 'ask the buyer for a new request';
  if (request.tokenId !== token.tokenId.toString()) {
    const message = `the key request is for token ${request.tokenId}, not ${token.tokenId}`;
    throw new FFEError('bad_input', message, again);
  }
  if (request.deadline <= now) {
    throw new FFEError('key', "the key request's time is over", again);
  }
  checkOwnerKey(fromHex(request.key), request.receiver);
  if (recoverMessage(accessMessage(token, request), request.signature) !== request.receiver) {
    throw new FFEError('key', `the key request is not signed by ${request.receiver}`, again);
  }
}
