// The EIP-712 messages in the coordinator's domain (docs/spec/session.md).
import { TypedDataEncoder, recoverAddress } from 'ethers';
import { fromHex, toAddress, toHash, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import type { Domain } from './terms.js';

export interface TypedField {
  name: string;
  type: string;
}

const fields = (list: string): TypedField[] =>
  list.split(',').map((field) => {
    const [type = '', name = ''] = field.split(' ');
    return { type, name };
  });

const VERDICT = fields(
  'address contributor,bytes32 blobRoot,uint8 verdict,uint8 reason,uint128 evidence',
);
const OWNER = fields('address owner,bytes32 ownerKeyHash,bytes sealedKey');

/** Types by message, as wallets take them; the message's own type is the first of each. */
export const messageTypes = {
  SessionKey: {
    SessionKey: fields('bytes32 sessionTag,bytes32 sessionKey,bytes32 seedCommitment'),
  },
  SessionOffer: {
    SessionOffer: fields(
      'bytes32 sessionTag,bytes32 sessionKey,bytes32 seedCommitment,bytes32 termsHash',
    ),
  },
  Submission: { Submission: fields('bytes32 binding,bytes32 dataHash,bytes32 ownerKeyHash') },
  OwnerKey: { OwnerKey: fields('string purpose,bytes32 sessionTag') },
  ServiceKey: { ServiceKey: fields('bytes32 enclaveId,bytes32 key,uint64 validUntil') },
  RejectionCertificate: {
    RejectionCertificate: fields(
      'bytes32 sealHash,address contributor,bytes32 blobRoot,uint8 reason,uint32 evalPairs,' +
        'int64 harmMicroNats,int64 relevanceLostMicroNats,uint128 evidence,bytes32 gateRoot',
    ),
  },
  ResultCertificate: {
    ResultCertificate: fields(
      'bytes32 sealHash,bytes32 artifactRoot,bytes32 gateRoot,bytes32 reportRoot,bytes32 seed,' +
        'Verdict[] verdicts,Owner[] owners,uint32 baseLossMicroNats,uint32 jointLossMicroNats',
    ),
    Verdict: VERDICT,
    Owner: OWNER,
  },
  AbortCertificate: { AbortCertificate: fields('bytes32 sealHash,uint8 reason,bytes32 gateRoot') },
  // These two in the domain of ERC7857Verifier.
  AccessProof: {
    AccessProof: fields(
      'address nft,uint256 tokenId,address receiver,bytes32 oldDataHash,bytes32 newDataHash,' +
        'bytes encryptedPubKey,uint64 deadline,bytes32 salt',
    ),
  },
  OwnershipProof: {
    OwnershipProof: fields(
      'address nft,uint256 tokenId,address receiver,bytes32 oldDataHash,bytes32 newDataHash,' +
        'bytes sealedKey,bytes encryptedPubKey,uint64 deadline,bytes32 salt',
    ),
  },
} satisfies Record<MessageName, Record<string, TypedField[]>>;

export type MessageName =
  | 'SessionKey'
  | 'SessionOffer'
  | 'Submission'
  | 'OwnerKey'
  | 'ServiceKey'
  | 'RejectionCertificate'
  | 'ResultCertificate'
  | 'AbortCertificate'
  | 'AccessProof'
  | 'OwnershipProof';
export type Message = Record<string, unknown>;

/** A message to sign, in the form that ethers' and viem's wallets take. */
export interface TypedMessage {
  domain: { name: string; version: string; chainId: number; verifyingContract: Hex };
  types: Record<string, TypedField[]>;
  primaryType: MessageName;
  message: Message;
}

export function typedMessage(domain: Domain, name: MessageName, message: Message): TypedMessage {
  return {
    domain: {
      name: 'FFE',
      version: '1',
      chainId: domain.chainId,
      verifyingContract: domain.coordinator,
    },
    types: messageTypes[name],
    primaryType: name,
    message,
  };
}

export function digestOf(typed: TypedMessage): Hex {
  return toHash(TypedDataEncoder.hash(typed.domain, typed.types, typed.message));
}

const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

/** The signer of a digest. Signatures are `r ‖ s ‖ v` with low s and v 27 or 28; no other form is
 * repaired. @throws FFEError `corrupt` */
export function recover(digest: Hex, signature: Hex): Hex {
  const bytes = fromHex(signature, 'signature');
  const s = BigInt(`0x${signature.slice(66, 130) || '0'}`);
  const v = bytes[64];
  if (bytes.length !== 65 || s > HALF_ORDER || (v !== 27 && v !== 28)) {
    throw new FFEError('corrupt', 'the signature is malformed');
  }
  try {
    return toAddress(recoverAddress(digest, signature));
  } catch (cause) {
    throw new FFEError('corrupt', 'the signature is malformed', '', { cause });
  }
}

export const recoverMessage = (typed: TypedMessage, signature: Hex): Hex =>
  recover(digestOf(typed), signature);

export const submissionMessage = (
  domain: Domain,
  binding: Hex,
  dataHash: Hex,
  ownerKeyHash: Hex,
): TypedMessage => typedMessage(domain, 'Submission', { binding, dataHash, ownerKeyHash });

export const ownerKeyMessage = (domain: Domain, sessionTag: Hex): TypedMessage =>
  typedMessage(domain, 'OwnerKey', { purpose: 'FFE owner key v1', sessionTag });
