// Intel's signed statements about TCB levels and the quoting enclave, and the rules that turn them
// and a quote into one status.
import { fromHex, toHex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, parseJson, type Json } from '../base/json.js';
import { parseUtc } from './der.js';
import type { PckExtension } from './pck-extension.js';
import type { QeReport, TdReport } from './quote.js';
import { refuse } from './x509.js';

const MAX_LEVELS = 256;
const MAX_DOCUMENT = 256 * 1024;
/** In Intel's spelling. */
export type TcbStatus =
  | 'UpToDate'
  | 'SWHardeningNeeded'
  | 'ConfigurationNeeded'
  | 'ConfigurationAndSWHardeningNeeded'
  | 'OutOfDate'
  | 'OutOfDateConfigurationNeeded'
  | 'Revoked'
  | 'TDRelaunchAdvised'
  | 'TDRelaunchAdvisedConfigurationNeeded';
// What documents may say; the first four are current.
const STATUSES: readonly TcbStatus[] = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
];

export interface SvnLevel {
  isvSvn: number;
  status: TcbStatus;
  advisories: string[];
}

export interface ModuleIdentity {
  /** "TDX_01"; empty for the base module. */
  id: string;
  mrSigner: Uint8Array;
  attributes: Uint8Array;
  /** Newest first. */
  levels: SvnLevel[];
}

export interface TcbLevel {
  sgx: number[];
  tdx: number[];
  pceSvn: number;
  status: TcbStatus;
  advisories: string[];
}

export interface SignedDates {
  issued: number;
  nextUpdate: number;
  evaluationNumber: number;
}

export interface TcbInfo extends SignedDates {
  fmspc: string;
  pceId: string;
  module: ModuleIdentity;
  modules: ModuleIdentity[];
  /** Newest first, as published. */
  levels: TcbLevel[];
}

export interface QeIdentity extends SignedDates {
  miscSelect: Uint8Array;
  miscSelectMask: Uint8Array;
  attributes: Uint8Array;
  attributesMask: Uint8Array;
  mrSigner: Uint8Array;
  isvProdId: number;
  levels: SvnLevel[];
}

function bad(what: string, message: string): never {
  throw new FFEError(
    'bad_input',
    `${what}: ${message}`,
    "fetch the collateral again, for this quote's FMSPC and for TDX",
  );
}

const bytes = (f: Fields, key: string, size: number): Uint8Array =>
  fromHex(f.string(key), f.path(key), size);

function status(f: Fields): TcbStatus {
  const text = f.string('tcbStatus');
  const known = STATUSES.find((s) => s === text);
  return known ?? bad(f.where, `unknown TCB status "${text.slice(0, 60)}"`);
}

function advisories(f: Fields): string[] {
  if (!f.has('advisoryIDs')) return [];
  return f.array('advisoryIDs', MAX_LEVELS, (id) =>
    typeof id === 'string' ? id : bad(f.where, 'an advisory id is not a string'),
  );
}

function svnLevels(f: Fields): SvnLevel[] {
  const levels = f.array('tcbLevels', MAX_LEVELS, (item, where) => {
    const level = new Fields(item, where);
    const tcb = new Fields(level.member('tcb'), level.path('tcb'));
    return {
      isvSvn: tcb.integer('isvsvn', 65535),
      status: status(level),
      advisories: advisories(level),
    };
  });
  if (levels.length === 0) bad(f.where, 'no TCB levels');
  return levels.sort((a, b) => b.isvSvn - a.isvSvn);
}

function componentSvns(tcb: Fields, key: string): number[] {
  const svns = tcb.array(key, 16, (item, where) => new Fields(item, where).integer('svn', 255));
  return svns.length === 16 ? svns : bad(tcb.where, `${key} has not 16 components`);
}

const moduleIdentity = (f: Fields): ModuleIdentity => ({
  id: '',
  mrSigner: bytes(f, 'mrsigner', 48),
  attributes: bytes(f, 'attributes', 8),
  levels: [],
});

function document(text: string, what: string, id: string, version: number): Fields {
  const f = new Fields(parseJson(text, what, { maxLength: MAX_DOCUMENT }), what);
  const found = f.string('id');
  if (found !== id || f.integer('version') !== version) {
    bad(what, `is "${found.slice(0, 20)}", expected "${id}" version ${version}`);
  }
  return f;
}

const dates = (f: Fields): SignedDates => ({
  issued: parseUtc(f.string('issueDate')),
  nextUpdate: parseUtc(f.string('nextUpdate')),
  evaluationNumber: f.integer('tcbEvaluationDataNumber', 0xffffffff),
});

/** TCB info version 3 for TDX. @throws FFEError `bad_input` */
export function parseTcbInfo(text: string): TcbInfo {
  const what = 'TCB info';
  const f = document(text, what, 'TDX', 3);
  if (f.integer('tcbType') !== 0) bad(what, 'unknown tcbType');
  const module = (item: Json, where: string): ModuleIdentity => {
    const m = new Fields(item, where);
    return { ...moduleIdentity(m), id: m.string('id').toUpperCase(), levels: svnLevels(m) };
  };
  const levels = f.array('tcbLevels', MAX_LEVELS, (item, where) => {
    const level = new Fields(item, where);
    const tcb = new Fields(level.member('tcb'), level.path('tcb'));
    return {
      sgx: componentSvns(tcb, 'sgxtcbcomponents'),
      tdx: componentSvns(tcb, 'tdxtcbcomponents'),
      pceSvn: tcb.integer('pcesvn', 65535),
      status: status(level),
      advisories: advisories(level),
    };
  });
  if (levels.length === 0) bad(what, 'no TCB levels');
  return {
    ...dates(f),
    fmspc: toHex(bytes(f, 'fmspc', 6)).slice(2),
    pceId: toHex(bytes(f, 'pceId', 2)).slice(2),
    module: moduleIdentity(new Fields(f.member('tdxModule'), f.path('tdxModule'))),
    modules: f.has('tdxModuleIdentities') ? f.array('tdxModuleIdentities', MAX_LEVELS, module) : [],
    levels,
  };
}

/** QE identity version 2, TD_QE. @throws FFEError `bad_input` */
export function parseQeIdentity(text: string): QeIdentity {
  const f = document(text, 'QE identity', 'TD_QE', 2);
  return {
    ...dates(f),
    miscSelect: bytes(f, 'miscselect', 4),
    miscSelectMask: bytes(f, 'miscselectMask', 4),
    attributes: bytes(f, 'attributes', 16),
    attributesMask: bytes(f, 'attributesMask', 16),
    mrSigner: bytes(f, 'mrsigner', 32),
    isvProdId: f.integer('isvprodid', 65535),
    levels: svnLevels(f),
  };
}

const findModule = (info: TcbInfo, major: number): ModuleIdentity | undefined =>
  info.modules.find((m) => m.id === `TDX_${toHex(Uint8Array.of(major)).slice(2).toUpperCase()}`);

const reached = (levels: readonly SvnLevel[], svn: number): SvnLevel | undefined =>
  levels.find((level) => svn >= level.isvSvn);

const same = (a: Uint8Array, b: Uint8Array): boolean => toHex(a) === toHex(b);

/** The identity that the quote's TDX module must have; the level is absent for the base module.
 * @throws FFEError `attestation` */
export function matchModule(
  info: TcbInfo,
  td: TdReport,
): { identity: ModuleIdentity; level: SvnLevel | undefined } {
  const [version = 0, major = 0] = td.teeTcbSvn;
  const identity = major > 0 ? findModule(info, major) : info.module;
  if (identity === undefined) {
    return refuse(
      `TDX module of major version ${major} is not in the TCB info`,
      "fetch newer collateral; if it still is not there, the module is not Intel's",
    );
  }
  if (!same(td.mrSignerSeam, identity.mrSigner)) {
    refuse('TDX module was not signed by Intel (MRSIGNERSEAM)', 'do not trust this machine');
  }
  if (td.seamAttributes.some((b) => b !== 0) || !same(td.seamAttributes, identity.attributes)) {
    refuse(
      `TDX module has attributes ${toHex(td.seamAttributes).slice(2)}`,
      'a debug TDX module protects nothing; do not trust this machine',
    );
  }
  const level = major > 0 ? reached(identity.levels, version) : undefined;
  if (major > 0 && level === undefined) {
    refuse(
      `TDX module version ${version} of ${identity.id} is below every level of the TCB info`,
      'the operator must update the TDX module',
    );
  }
  return { identity, level };
}

const maskedEqual = (value: Uint8Array, wanted: Uint8Array, mask: Uint8Array): boolean =>
  mask.every((m, i) => ((value[i] as number) & m) === ((wanted[i] as number) & m));

/** Checks the quoting enclave's report. @throws FFEError `attestation` */
export function matchQe(identity: QeIdentity, qe: QeReport): SvnLevel {
  const hint = "the quote was not made by Intel's TD quoting enclave";
  if (!maskedEqual(qe.miscSelect, identity.miscSelect, identity.miscSelectMask)) {
    refuse('quoting enclave: MISCSELECT differs from its identity', hint);
  }
  if (!maskedEqual(qe.attributes, identity.attributes, identity.attributesMask)) {
    refuse('quoting enclave: ATTRIBUTES differ from its identity (debug?)', hint);
  }
  if (!same(qe.mrSigner, identity.mrSigner)) {
    refuse(`quoting enclave: signed by ${toHex(qe.mrSigner).slice(2)}`, hint);
  }
  if (qe.isvProdId !== identity.isvProdId) {
    refuse(`quoting enclave: product ${qe.isvProdId}, expected ${identity.isvProdId}`, hint);
  }
  return (
    reached(identity.levels, qe.isvSvn) ??
    refuse(
      `quoting enclave: version ${qe.isvSvn} is below every level`,
      'the operator must update the platform software',
    )
  );
}

const reachesSgx = (level: TcbLevel, pck: PckExtension): boolean =>
  pck.pceSvn >= level.pceSvn && level.sgx.every((svn, i) => (pck.components[i] as number) >= svn);

// With a module of major version 1 or later its own identity judges bytes 0 and 1 of TEE_TCB_SVN.
function reachesTdx(level: TcbLevel, td: TdReport): boolean {
  const first = (td.teeTcbSvn[1] as number) > 0 ? 2 : 0;
  return level.tdx.every((svn, i) => i < first || (td.teeTcbSvn[i] as number) >= svn);
}

export interface LevelMatch {
  /** Newest level that the PCK certificate reaches. */
  sgx: TcbLevel;
  /** Newest level from there on that TEE_TCB_SVN reaches too. */
  tdx: TcbLevel;
  /** Its place, from 1. */
  place: number;
}

/** @throws FFEError `attestation` */
export function matchLevel(info: TcbInfo, pck: PckExtension, td: TdReport): LevelMatch {
  const hint = 'the operator must update firmware and microcode';
  const first = info.levels.findIndex((level) => reachesSgx(level, pck));
  const sgx = info.levels[first];
  if (sgx === undefined) {
    return refuse("TCB not supported: the PCK certificate's versions reach no TCB level", hint);
  }
  const place = info.levels.findIndex(
    (level, i) => i >= first && reachesSgx(level, pck) && reachesTdx(level, td),
  );
  const tdx = info.levels[place];
  if (tdx === undefined) {
    const shown = toHex(td.teeTcbSvn).slice(2);
    return refuse(`TCB not supported: TEE_TCB_SVN ${shown} reaches no TCB level`, hint);
  }
  return { sgx, tdx, place: place + 1 };
}

function converge(status: TcbStatus, component: TcbStatus): TcbStatus {
  if (component === 'Revoked') return 'Revoked';
  if (component === 'OutOfDate') {
    if (status === 'UpToDate' || status === 'SWHardeningNeeded') return 'OutOfDate';
    if (status === 'ConfigurationNeeded' || status === 'ConfigurationAndSWHardeningNeeded') {
      return 'OutOfDateConfigurationNeeded';
    }
  }
  return status;
}

// The module that runs now (TEE_TCB_SVN_2) is current although the one that launched the TD was not.
function currentModuleIsNewest(info: TcbInfo, td: TdReport): boolean {
  const newest = info.levels[0] as TcbLevel;
  const [version = 0, major = 0, third = 0] = td.teeTcbSvn2;
  let needed = newest.tdx[0] as number;
  if (major > 0) {
    const level = findModule(info, major)?.levels[0];
    if (level === undefined) return false;
    needed = level.isvSvn;
  }
  return version >= needed && third >= (newest.tdx[2] as number);
}

/** One status from the three (Intel's convergence rules), including the advice to relaunch a TD that
 * an older module launched. */
export function convergedStatus(
  info: TcbInfo,
  td: TdReport,
  level: LevelMatch,
  module: SvnLevel | undefined,
  qe: SvnLevel,
): TcbStatus {
  const moduleStatus = module?.status ?? 'UpToDate';
  let status = converge(level.tdx.status, moduleStatus);
  const sgx = level.sgx.status;
  const sgxCurrent = STATUSES.indexOf(sgx) < 4;
  const outOfDate = status === 'OutOfDate' || status === 'OutOfDateConfigurationNeeded';
  if (
    td.version === '1.5' &&
    outOfDate &&
    sgxCurrent &&
    moduleStatus === 'OutOfDate' &&
    qe.status === 'UpToDate' &&
    currentModuleIsNewest(info, td)
  ) {
    const configuration = sgx.includes('Configuration') || status.includes('Configuration');
    status = configuration ? 'TDRelaunchAdvisedConfigurationNeeded' : 'TDRelaunchAdvised';
  }
  return converge(status, qe.status);
}
