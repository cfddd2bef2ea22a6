// Intel TDX quotes, version 4 and 5, with the PCK certificate chain inside (docs/spec/attestation.md).
import { concat, equalBytes, toHex, type Hex } from '../base/bytes.js';
import { FFEError, type ErrorCode } from '../base/errors.js';
import { keccak256 } from '../crypto/hash.js';
import { Reader } from './reader.js';

const MAX_QUOTE = 64 * 1024;
const MAX_TRAILING = 16 * 1024;
const TD10_SIZE = 584;
const TD15_SIZE = 648;
const QE_REPORT_SIZE = 384;
const LENGTH_SIZE = 4; // of the signature section
const SIGNATURE_SIZE = 64;
const KEY_SIZE = 64;
const INTEL_VENDOR = Uint8Array.of(
  ...[0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 7],
);

export interface TdReport {
  version: '1.0' | '1.5';
  teeTcbSvn: Uint8Array;
  mrSeam: Uint8Array;
  mrSignerSeam: Uint8Array;
  seamAttributes: Uint8Array;
  tdAttributes: Uint8Array;
  xfam: Uint8Array;
  mrTd: Uint8Array;
  mrConfigId: Uint8Array;
  mrOwner: Uint8Array;
  mrOwnerConfig: Uint8Array;
  rtmrs: Uint8Array[];
  reportData: Uint8Array;
  /** Zeros in TD report 1.0. */
  teeTcbSvn2: Uint8Array;
  mrServiceTd: Uint8Array;
}

export interface QeReport {
  raw: Uint8Array;
  miscSelect: Uint8Array;
  attributes: Uint8Array;
  mrSigner: Uint8Array;
  isvProdId: number;
  isvSvn: number;
  reportData: Uint8Array;
}

export interface Quote {
  version: number;
  td: TdReport;
  /** What the attestation key signed. */
  signedRegion: Uint8Array;
  signature: Uint8Array;
  attestationKey: Uint8Array;
  qe: QeReport;
  qeSignature: Uint8Array;
  qeAuth: Uint8Array;
  /** PEM. */
  pckChain: string;
  size: number;
  /** Bytes after the quote, which nobody signed. */
  trailing: number;
}

function fail(code: ErrorCode, message: string, hint: string): never {
  throw new FFEError(code, `quote: ${message}`, hint);
}

function readHeader(input: Reader): number {
  const version = input.u16('version');
  if (version !== 4 && version !== 5) {
    fail('unsupported', `version ${version} at offset 0`, 'TDX quotes have version 4 or 5');
  }
  const keyType = input.u16('attestation key type');
  if (keyType !== 2) {
    fail(
      'unsupported',
      `attestation key type ${keyType} at offset 2`,
      'only ECDSA over P-256 (type 2) is in use',
    );
  }
  const tee = input.u32('TEE type');
  if (tee !== 0x81) {
    fail(
      'unsupported',
      `TEE type ${tee} at offset 4`,
      'this verifier takes TDX quotes (type 129), not SGX',
    );
  }
  input.take(4, 'reserved');
  if (!equalBytes(input.take(16, 'QE vendor id'), INTEL_VENDOR)) {
    fail(
      'unsupported',
      'unknown QE vendor id at offset 12',
      "only quotes of Intel's quoting enclave are understood",
    );
  }
  input.take(20, 'user data');
  return version;
}

// Version 5 says which report follows; version 4 has only TD report 1.0.
function readBodyDescriptor(input: Reader, version: number): TdReport['version'] {
  if (version === 4) return '1.0';
  const type = input.u16('body type');
  const size = input.u32('body size');
  if (type === 2 && size === TD10_SIZE) return '1.0';
  if (type === 3 && size === TD15_SIZE) return '1.5';
  return fail(
    'bad_input',
    `body type ${type} with size ${size} at offset 48`,
    'a TDX body has type 2 (584 bytes) or 3 (648 bytes)',
  );
}

function readTdReport(input: Reader, version: TdReport['version']): TdReport {
  const measurement = (field: string): Uint8Array => input.take(48, field);
  return {
    version,
    teeTcbSvn: input.take(16, 'TEE_TCB_SVN'),
    mrSeam: measurement('MRSEAM'),
    mrSignerSeam: measurement('MRSIGNERSEAM'),
    seamAttributes: input.take(8, 'SEAMATTRIBUTES'),
    tdAttributes: input.take(8, 'TDATTRIBUTES'),
    xfam: input.take(8, 'XFAM'),
    mrTd: measurement('MRTD'),
    mrConfigId: measurement('MRCONFIGID'),
    mrOwner: measurement('MROWNER'),
    mrOwnerConfig: measurement('MROWNERCONFIG'),
    rtmrs: [0, 1, 2, 3].map(() => measurement('RTMR')),
    reportData: input.take(64, 'REPORTDATA'),
    teeTcbSvn2: version === '1.5' ? input.take(16, 'TEE_TCB_SVN_2') : new Uint8Array(16),
    mrServiceTd: version === '1.5' ? measurement('MRSERVICETD') : new Uint8Array(48),
  };
}

function readQeReport(raw: Uint8Array, origin: number): QeReport {
  const input = new Reader(raw, 'quote: QE report', origin);
  input.take(16, 'CPUSVN');
  const miscSelect = input.take(4, 'MISCSELECT');
  input.take(28, 'reserved');
  const attributes = input.take(16, 'ATTRIBUTES');
  input.take(32 + 32, 'MRENCLAVE');
  const mrSigner = input.take(32, 'MRSIGNER');
  input.take(96, 'reserved');
  const isvProdId = input.u16('ISVPRODID');
  const isvSvn = input.u16('ISVSVN');
  input.take(60, 'reserved');
  const reportData = input.take(64, 'REPORTDATA');
  return { raw, miscSelect, attributes, mrSigner, isvProdId, isvSvn, reportData };
}

function expectCertification(input: Reader, wanted: number, what: string): void {
  const at = input.offset;
  const type = input.u16(what);
  if (type !== wanted) {
    fail(
      'unsupported',
      `${what} is ${type} at offset ${at}, expected ${wanted}`,
      'the platform must put its PCK certificate chain into the quote (types 6 and 5)',
    );
  }
  const sizeAt = input.offset;
  const size = input.u32('certification data size');
  if (size !== input.left) {
    fail(
      'bad_input',
      `certification data size ${size} at offset ${sizeAt}, but ${input.left} bytes remain of the ` +
        'signature section',
      'the quote is damaged; ask for a new one',
    );
  }
}

/** @throws FFEError `bad_input` or `unsupported` naming field and offset. */
export function parseQuote(blob: Uint8Array): Quote {
  if (blob.length > MAX_QUOTE) {
    fail(
      'bad_input',
      `${blob.length} bytes is more than a quote has`,
      'pass the binary quote, at most 65536 bytes',
    );
  }
  const input = new Reader(blob, 'quote');
  const version = readHeader(input);
  const td = readTdReport(input, readBodyDescriptor(input, version));
  const signedRegion = blob.subarray(0, input.offset);
  const sectionSize = input.u32('signature section size');
  const sectionAt = input.offset;
  const section = new Reader(input.take(sectionSize, 'signature section'), 'quote', sectionAt);
  const signature = section.take(SIGNATURE_SIZE, 'quote signature');
  const attestationKey = section.take(KEY_SIZE, 'attestation key');
  expectCertification(section, 6, 'certification data type');
  const qeAt = section.offset;
  const qe = readQeReport(section.take(QE_REPORT_SIZE, 'QE report'), qeAt);
  const qeSignature = section.take(64, 'QE report signature');
  const qeAuth = section.take(section.u16('QE authentication data size'), 'QE authentication data');
  expectCertification(section, 5, 'inner certification data type');
  // Intel's library appends NULs; anything else after the text stays and is refused as PEM.
  const pckChain = new TextDecoder('latin1')
    .decode(section.take(section.left, 'PCK chain'))
    .replace(/\0+$/, '');
  const trailing = input.left;
  if (trailing > MAX_TRAILING) {
    fail(
      'bad_input',
      `${trailing} bytes follow the quote at offset ${input.offset}`,
      `at most ${MAX_TRAILING} padding bytes are tolerated`,
    );
  }
  return {
    version,
    td,
    signedRegion,
    signature,
    attestationKey,
    qe,
    qeSignature,
    qeAuth,
    pckChain,
    size: input.offset,
    trailing,
  };
}

/** A quote without its certification data, as the chain takes it where it knows the machine: header,
 * body, length, signature, attestation key. @throws FFEError as parseQuote */
export function cutQuote(blob: Uint8Array): Uint8Array {
  const input = new Reader(blob.subarray(0, MAX_QUOTE), 'quote');
  readTdReport(input, readBodyDescriptor(input, readHeader(input)));
  input.take(LENGTH_SIZE + SIGNATURE_SIZE + KEY_SIZE, 'signature and attestation key');
  return blob.subarray(0, input.offset);
}

/** Whether two blobs are one quote, cut or whole. */
export const sameQuote = (a: Uint8Array, b: Uint8Array): boolean =>
  equalBytes(cutQuote(a), cutQuote(b));

/** `cut` with the certification data of `whole`, a quote by the same attestation key.
 * @throws FFEError `bad_input` if it is by another */
export function completeQuote(cut: Uint8Array, whole: Uint8Array): Uint8Array {
  const ours = cutQuote(cut);
  const theirs = cutQuote(whole);
  if (!equalBytes(ours.subarray(-KEY_SIZE), theirs.subarray(-KEY_SIZE))) {
    fail(
      'bad_input',
      'the two are by different attestation keys',
      'certification data vouches for one key only',
    );
  }
  const tail = SIGNATURE_SIZE + KEY_SIZE;
  // The length is that of the section which is put together here.
  return concat(
    ours.subarray(0, -(tail + LENGTH_SIZE)),
    theirs.subarray(-(tail + LENGTH_SIZE), -tail),
    ours.subarray(-tail),
    whole.subarray(theirs.length),
  );
}

/** What runs, RTMR3 included. */
export function workloadId(td: TdReport): Hex {
  return toHex(keccak256(concat(td.mrTd, ...td.rtmrs, td.mrConfigId, td.xfam, td.tdAttributes)));
}

/** The same without RTMR3, which an application layer extends. */
export function platformHash(td: TdReport): Hex {
  const rtmrs = td.rtmrs.slice(0, 3);
  return toHex(keccak256(concat(td.mrTd, ...rtmrs, td.mrConfigId, td.xfam, td.tdAttributes)));
}
