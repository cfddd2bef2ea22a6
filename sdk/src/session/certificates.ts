// The enclave's signed certificates (docs/spec/session.md): rejection, result and abort.
import { toAddress, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, type Json } from '../base/json.js';
import { maxParticipants, type Domain } from './terms.js';
import { recoverMessage, typedMessage, type MessageName, type TypedMessage } from './typed-data.js';

export type VerdictName = 'accept' | 'exclude' | 'reject';
export type ReasonName =
  | 'none'
  | 'harmful'
  | 'invalid'
  | 'suspected_harm'
  | 'backdoor'
  | 'too_few_rows'
  | 'not_available'
  | 'no_gain'
  | 'pool_overlap'
  | 'bad_owner_key';
export type AbortReasonName = 'pool_unfit' | 'model_or_recipe';

const VERDICTS: readonly VerdictName[] = ['accept', 'exclude', 'reject'];
const REASONS: readonly (readonly [number, ReasonName, string])[] = [
  [0, 'none', 'the contribution was accepted'],
  [
    1,
    'harmful',
    'training on these rows makes the model worse on the held-out questions, by more than chance ' +
      'allows, with each of three seeds',
  ],
  [
    2,
    'invalid',
    "the committed bytes do not open as this contributor's signed dataset, are not JSONL, or " +
      'break the schema in too many rows',
  ],
  [16, 'suspected_harm', 'the rows seem to make the model worse, without proof'],
  [17, 'backdoor', 'many unlike questions share one answer, as a trigger would'],
  [18, 'too_few_rows', 'too few usable rows were left'],
  [19, 'not_available', "the blob was not available in 0G Storage within the enclave's window"],
  [20, 'no_gain', 'no evidence that the rows improve the model'],
  [21, 'pool_overlap', 'the rows copy more than a tenth of the evaluation pool'],
  [22, 'bad_owner_key', 'no key can be sealed to the owner key submitted'],
];

function bad(where: string, why: string): never {
  throw new FFEError('bad_input', `${where} ${why}`);
}

const reasonRow = (number: number) => REASONS.find(([n]) => n === number);

export const verdictName = (number: number): VerdictName =>
  VERDICTS[number - 1] ?? bad('verdict', 'is not 1, 2 or 3');
export const reasonName = (number: number): ReasonName =>
  reasonRow(number)?.[1] ?? bad('reason', `${number} is unknown`);
export const abortReasonName = (number: number): AbortReasonName =>
  number === 1
    ? 'pool_unfit'
    : number === 2
      ? 'model_or_recipe'
      : bad('abort reason', 'is not 1 or 2');

export function verdictNumber(name: string): number {
  const index = VERDICTS.indexOf(name as VerdictName);
  return index >= 0 ? index + 1 : bad('verdict', 'is not accept, exclude or reject');
}
export const reasonNumber = (name: string): number =>
  REASONS.find(([, n]) => n === name)?.[0] ?? bad('reason', 'is unknown');

/** One sentence for people. */
export const explainReason = (number: number): string =>
  reasonRow(number)?.[2] ?? bad('reason', `${number} is unknown`);

/** The verdict that goes with a reason. */
export const verdictOfReason = (reason: number): number =>
  reason === 0 ? 1 : reason === 1 || reason === 2 ? 3 : 2;

export interface RejectionCertificate {
  sealHash: Hex;
  contributor: Hex;
  blobRoot: Hex;
  reason: number;
  evalPairs: number;
  harmMicroNats: number;
  relevanceLostMicroNats: number;
  evidence: bigint;
  gateRoot: Hex;
}

export interface ContributorVerdict {
  contributor: Hex;
  blobRoot: Hex;
  /** 1 accept, 2 exclude, 3 reject. */
  verdict: number;
  reason: number;
  evidence: bigint;
}

export interface Owner {
  owner: Hex;
  ownerKeyHash: Hex;
  sealedKey: Hex;
}

export interface ResultCertificate {
  sealHash: Hex;
  /** Zero with no owners: fewer than minAccepted were accepted. */
  artifactRoot: Hex;
  gateRoot: Hex;
  reportRoot: Hex;
  seed: Hex;
  /** In sealing order. */
  verdicts: ContributorVerdict[];
  /** The accepted, in the same order. */
  owners: Owner[];
  baseLossMicroNats: number;
  jointLossMicroNats: number;
}

export interface AbortCertificate {
  sealHash: Hex;
  reason: number;
  gateRoot: Hex;
}

export type Certificate =
  | ({ kind: 'rejection' } & RejectionCertificate)
  | ({ kind: 'result' } & ResultCertificate)
  | ({ kind: 'abort' } & AbortCertificate);

/** A certificate as anyone may carry it to the chain. */
export interface SignedCertificate {
  domain: Domain;
  sessionId: bigint;
  certificate: Certificate;
  signature: Hex;
}

const MESSAGES: Record<Certificate['kind'], MessageName> = {
  rejection: 'RejectionCertificate',
  result: 'ResultCertificate',
  abort: 'AbortCertificate',
};

export function certificateMessage(domain: Domain, certificate: Certificate): TypedMessage {
  const { kind, ...message } = certificate;
  return typedMessage(domain, MESSAGES[kind], message);
}

/** Who signed. @throws FFEError `corrupt` for a malformed signature. */
export const certificateSigner = (signed: SignedCertificate): Hex =>
  recoverMessage(certificateMessage(signed.domain, signed.certificate), signed.signature);

const UINT32 = 0xffffffff;
const known = <T>(number: number, name: (n: number) => T): number => (name(number), number);

function sealedKey(f: Fields): Hex {
  const text = f.string('sealedKey');
  if (text.length > 2 + 2 * 1024 || !/^0x(?:[0-9a-fA-F]{2})*$/.test(text)) {
    bad(f.path('sealedKey'), 'is not at most 1024 bytes in hexadecimal');
  }
  return text.toLowerCase() as Hex;
}

function verdictFromJson(json: Json, where: string): ContributorVerdict {
  const f = new Fields(json, where);
  const verdict: ContributorVerdict = {
    contributor: f.hex('contributor', 20),
    blobRoot: f.hex('blobRoot', 32),
    verdict: known(f.integer('verdict', 255), verdictName),
    reason: known(f.integer('reason', 255), reasonName),
    evidence: f.decimal('evidence', 128),
  };
  f.done();
  return verdict;
}

function ownerFromJson(json: Json, where: string): Owner {
  const f = new Fields(json, where);
  const owner: Owner = {
    owner: f.hex('owner', 20),
    ownerKeyHash: f.hex('ownerKeyHash', 32),
    sealedKey: sealedKey(f),
  };
  f.done();
  return owner;
}

function bodyFromJson(kind: string, json: Json): Certificate {
  const f = new Fields(json, 'certificate');
  const read = (): Certificate => {
    const sealHash = f.hex('sealHash', 32);
    if (kind === 'rejection') {
      return {
        kind,
        sealHash,
        contributor: f.hex('contributor', 20),
        blobRoot: f.hex('blobRoot', 32),
        reason: known(f.integer('reason', 255), reasonName),
        evalPairs: f.integer('evalPairs', UINT32),
        harmMicroNats: f.signed('harmMicroNats'),
        relevanceLostMicroNats: f.signed('relevanceLostMicroNats'),
        evidence: f.decimal('evidence', 128),
        gateRoot: f.hex('gateRoot', 32),
      };
    }
    if (kind === 'result') {
      return {
        kind,
        sealHash,
        artifactRoot: f.hex('artifactRoot', 32),
        gateRoot: f.hex('gateRoot', 32),
        reportRoot: f.hex('reportRoot', 32),
        seed: f.hex('seed', 32),
        verdicts: f.array('verdicts', maxParticipants, verdictFromJson),
        owners: f.array('owners', maxParticipants, ownerFromJson),
        baseLossMicroNats: f.integer('baseLossMicroNats', UINT32),
        jointLossMicroNats: f.integer('jointLossMicroNats', UINT32),
      };
    }
    if (kind !== 'abort') bad('file.kind', 'is not rejection, result or abort');
    return {
      kind,
      sealHash,
      reason: known(f.integer('reason', 255), abortReasonName),
      gateRoot: f.hex('gateRoot', 32),
    };
  };
  const body = read();
  f.done();
  return body;
}

/** Reads `{"format":"ffe.certificate.v1",…}`. @throws FFEError `bad_input` naming the member. */
export function certificateFromJson(json: Json): SignedCertificate {
  const f = new Fields(json, 'file');
  f.expect('format', 'ffe.certificate.v1');
  const signed: SignedCertificate = {
    certificate: bodyFromJson(f.string('kind'), f.member('certificate')),
    domain: { chainId: f.integer('chainId'), coordinator: toAddress(f.string('coordinator')) },
    sessionId: f.decimal('sessionId', 256),
    signature: f.hex('signature', 65),
  };
  f.done();
  return signed;
}

export function certificateToJson(signed: SignedCertificate): Json {
  const { kind, ...body } = signed.certificate;
  const plain = JSON.parse(
    JSON.stringify(body, (_, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    ),
  ) as Json;
  return {
    format: 'ffe.certificate.v1',
    kind,
    chainId: signed.domain.chainId,
    coordinator: signed.domain.coordinator,
    sessionId: signed.sessionId.toString(),
    certificate: plain,
    signature: signed.signature,
  };
}
