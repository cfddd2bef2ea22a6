// What a session fixes when it opens, and its hashes (docs/spec/session.md).
import { AbiCoder } from 'ethers';
import { toHex, utf8, zeroAddress, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, type Json } from '../base/json.js';
import { keccak256 } from '../crypto/hash.js';

/** The gate's rules, registered before anyone submits. Micro: millionths of a nat. */
export interface GatePolicy {
  /** Bundle of the enclave's code: 1, or 2 for small sessions. */
  statistic: number;
  /** 1: a contribution must show evidence of gain. */
  acceptRule: number;
  evalPairs: number;
  minRows: number;
  alphaInverse: number;
  harmToleranceMicro: number;
  relevanceToleranceMicro: number;
  invalidShareBps: number;
}

export interface SessionTerms {
  enclaveId: Hex;
  codeHash: Hex;
  /** Zero: the native token. */
  stakeToken: Hex;
  baseModel: Hex;
  recipe: Hex;
  evalRoot: Hex;
  sampleRoot: Hex;
  salt: Hex;
  gate: GatePolicy;
  /** Unix seconds. */
  submitDeadline: number;
  /** Seconds from sealing. */
  deliverPeriod: number;
  quorum: number;
  minAccepted: number;
  maxRows: number;
  participants: Hex[];
  stake: bigint;
  fee: bigint;
  operatorBond: bigint;
  slashBpsHarmful: number;
  slashBpsInvalid: number;
  slashRecipient: Hex;
}

/** The coordinator's EIP-712 domain: name "FFE", version "1". */
export interface Domain {
  chainId: number;
  coordinator: Hex;
}

export const burnAddress: Hex = '0x000000000000000000000000000000000000dead';
export const maxParticipants = 255;
export const maxDeliverPeriod = 14 * 86400;

/** The C++ client's defaults. */
export const defaultGatePolicy: Readonly<GatePolicy> = {
  statistic: 1,
  acceptRule: 0,
  evalPairs: 192,
  minRows: 16,
  alphaInverse: 1000,
  harmToleranceMicro: 160_000,
  relevanceToleranceMicro: 110_000,
  invalidShareBps: 1000,
};

const GATE_POLICY =
  'tuple(uint8 statistic,uint8 acceptRule,uint16 evalPairs,uint16 minRows,uint32 alphaInverse,' +
  'uint32 harmToleranceMicro,uint32 relevanceToleranceMicro,uint16 invalidShareBps)';
const SESSION_TERMS =
  'tuple(bytes32 enclaveId,bytes32 codeHash,address stakeToken,bytes32 baseModel,bytes32 recipe,' +
  `bytes32 evalRoot,bytes32 sampleRoot,bytes32 salt,${GATE_POLICY} gate,uint64 submitDeadline,` +
  'uint32 deliverPeriod,uint16 quorum,uint16 minAccepted,uint32 maxRows,address[] participants,' +
  'uint256 stake,uint256 fee,uint256 operatorBond,uint16 slashBpsHarmful,uint16 slashBpsInvalid,' +
  'address slashRecipient)';

const abi = AbiCoder.defaultAbiCoder();

export function abiHash(types: readonly string[], values: readonly unknown[]): Hex {
  return toHex(keccak256(abiEncode(types, values)));
}

export function abiEncode(types: readonly string[], values: readonly unknown[]): Uint8Array {
  const text = abi.encode(types, values);
  return Uint8Array.from({ length: text.length / 2 - 1 }, (_, i) =>
    parseInt(text.slice(2 * i + 2, 2 * i + 4), 16),
  );
}

export const encodeTerms = (terms: SessionTerms): Uint8Array => abiEncode([SESSION_TERMS], [terms]);
export const termsHash = (terms: SessionTerms): Hex => toHex(keccak256(encodeTerms(terms)));

export const enclaveId = (signer: Hex, codeHash: Hex): Hex =>
  abiHash(['address', 'bytes32'], [signer, codeHash]);

export function sessionTag(domain: Domain, opener: Hex, salt: Hex): Hex {
  return abiHash(
    ['uint256', 'address', 'address', 'bytes32'],
    [domain.chainId, domain.coordinator, opener, salt],
  );
}

export function sessionHash(
  domain: Domain,
  sessionId: bigint,
  hashOfTerms: Hex,
  sessionKey: Hex,
  seedCommitment: Hex,
): Hex {
  return abiHash(
    ['bytes32', 'uint256', 'address', 'uint256', 'bytes32', 'bytes32', 'bytes32'],
    [
      keccak256('ffe.session.v1'),
      domain.chainId,
      domain.coordinator,
      sessionId,
      hashOfTerms,
      sessionKey,
      seedCommitment,
    ],
  );
}

/** In sealing order. */
export function sealHash(
  hashOfSession: Hex,
  contributors: readonly Hex[],
  blobRoots: readonly Hex[],
  ownerKeyHashes: readonly Hex[],
): Hex {
  if (blobRoots.length !== contributors.length || ownerKeyHashes.length !== contributors.length) {
    throw new FFEError(
      'bad_input',
      'seal hash: contributors, blob roots and owner key hashes differ in number',
    );
  }
  return abiHash(
    ['bytes32', 'address[]', 'bytes32[]', 'bytes32[]'],
    [hashOfSession, contributors, blobRoots, ownerKeyHashes],
  );
}

/** keccak256 of a recipe's or a manifest's canonical text; what the terms hold. */
export const textHash = (text: string): Hex => toHex(keccak256(utf8(text)));

const UINT8 = 0xff;
const UINT16 = 0xffff;
const UINT32 = 0xffffffff;

export function gatePolicyFromJson(json: Json): GatePolicy {
  const f = new Fields(json, 'gate');
  const policy: GatePolicy = {
    statistic: f.integer('statistic', UINT8),
    acceptRule: f.integer('acceptRule', UINT8),
    evalPairs: f.integer('evalPairs', UINT16),
    minRows: f.integer('minRows', UINT16),
    alphaInverse: f.integer('alphaInverse', UINT32),
    harmToleranceMicro: f.integer('harmToleranceMicro', UINT32),
    relevanceToleranceMicro: f.integer('relevanceToleranceMicro', UINT32),
    invalidShareBps: f.integer('invalidShareBps', UINT16),
  };
  f.done();
  return policy;
}

/** Strict: unknown and missing members are refused. @throws FFEError `bad_input` */
export function termsFromJson(json: Json): SessionTerms {
  const f = new Fields(json, 'terms');
  const terms: SessionTerms = {
    enclaveId: f.hex('enclaveId', 32),
    codeHash: f.hex('codeHash', 32),
    stakeToken: f.hex('stakeToken', 20),
    baseModel: f.hex('baseModel', 32),
    recipe: f.hex('recipe', 32),
    evalRoot: f.hex('evalRoot', 32),
    sampleRoot: f.hex('sampleRoot', 32),
    salt: f.hex('salt', 32),
    gate: gatePolicyFromJson(f.member('gate')),
    submitDeadline: f.integer('submitDeadline'),
    deliverPeriod: f.integer('deliverPeriod', UINT32),
    quorum: f.integer('quorum', UINT16),
    minAccepted: f.integer('minAccepted', UINT16),
    maxRows: f.integer('maxRows', UINT32),
    participants: f.array('participants', maxParticipants, (item, where) =>
      new Fields({ address: item }, where).hex('address', 20),
    ),
    stake: f.decimal('stake', 256),
    fee: f.decimal('fee', 256),
    operatorBond: f.decimal('operatorBond', 256),
    slashBpsHarmful: f.integer('slashBpsHarmful', UINT16),
    slashBpsInvalid: f.integer('slashBpsInvalid', UINT16),
    slashRecipient: f.hex('slashRecipient', 20),
  };
  f.done();
  return terms;
}

export function termsToJson(terms: SessionTerms): Json {
  return {
    ...terms,
    gate: { ...terms.gate },
    stake: terms.stake.toString(),
    fee: terms.fee.toString(),
    operatorBond: terms.operatorBond.toString(),
  };
}

function outOfBounds(field: string, rule: string): never {
  throw new FFEError(
    'bad_input',
    `terms: ${field} must be ${rule}`,
    `change ${field} in the terms`,
  );
}

function checkRange(field: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) outOfBounds(field, `from ${low} to ${high}, not ${value}`);
}

function checkAtLeast(field: string, value: number, low: number): void {
  if (!(value >= low)) outOfBounds(field, `at least ${low}, not ${value}`);
}

export function checkGatePolicy(gate: GatePolicy): void {
  checkRange('gate.statistic', gate.statistic, 1, 2);
  checkRange('gate.acceptRule', gate.acceptRule, 0, 1);
  checkRange('gate.evalPairs', gate.evalPairs, 32, 4096);
  checkAtLeast('gate.alphaInverse', gate.alphaInverse, 1000);
  checkAtLeast('gate.harmToleranceMicro', gate.harmToleranceMicro, 50_000);
  checkAtLeast('gate.relevanceToleranceMicro', gate.relevanceToleranceMicro, 50_000);
  checkRange('gate.invalidShareBps', gate.invalidShareBps, 1000, 10_000);
}

/** The contract's own rules, except those about time and its fixed slash recipient.
 * @throws FFEError `bad_input` naming the member and its bounds. */
export function checkTerms(terms: SessionTerms): void {
  checkGatePolicy(terms.gate);
  const { participants } = terms;
  if (participants.length < 2 || participants.length > maxParticipants) {
    outOfBounds('participants', `2 to 255 addresses, not ${participants.length}`);
  }
  participants.forEach((who, i) => {
    if (who === zeroAddress) outOfBounds(`participants[${i}]`, 'an address, not zero');
    if (participants.indexOf(who) !== i) {
      outOfBounds(`participants[${i}]`, 'another address than those before it');
    }
  });
  checkRange('quorum', terms.quorum, 2, participants.length);
  checkRange('minAccepted', terms.minAccepted, 2, terms.quorum);
  checkAtLeast('maxRows', terms.maxRows, 1);
  checkRange('deliverPeriod', terms.deliverPeriod, 1, maxDeliverPeriod);
  checkRange('submitDeadline', terms.submitDeadline, 1, Number.MAX_SAFE_INTEGER);
  checkRange('slashBpsHarmful', terms.slashBpsHarmful, 0, 10_000);
  checkRange('slashBpsInvalid', terms.slashBpsInvalid, 0, 10_000);
  if (terms.slashRecipient === zeroAddress) outOfBounds('slashRecipient', 'an address, not zero');
}
