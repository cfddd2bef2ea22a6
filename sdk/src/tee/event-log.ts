// Event logs: what a TD says was extended into its RTMRs, and the replay that proves it.
//
// A log is only text until its replay gives the registers of a verified quote; and then only its
// digests are proven. `data` is meaningful where `bound` is set: the digest was recomputed from it.
import { concat, equalBytes, fromHex, fromUtf8, toHex, utf8 } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, parseJson } from '../base/json.js';
import { sha384 } from '../crypto/hash.js';
import type { TdReport } from './quote.js';
import { Reader } from './reader.js';
import { refuse } from './x509.js';

/** TCG's crypto-agile log (CCEL table, and the attestation agent's entries behind it), or dstack's
 * JSON. */
export interface EventLog {
  format: 'ccel' | 'dstack';
  bytes: Uint8Array;
}

export interface LogEvent {
  /** 0 to 3. */
  rtmr: number;
  type: number;
  digest: Uint8Array;
  /** dstack: event; attestation agent: "<domain> <operation>"; else empty. */
  name: string;
  data: Uint8Array;
  bound: boolean;
}

const MAX_LOG = 16 << 20;
const MAX_EVENTS = 65_536;
const NO_ACTION = 3; // EV_NO_ACTION: informative, never extended
const EVENT_TAG = 6; // EV_EVENT_TAG
const SHA384 = 0x000c;
const DIGEST_SIZES: Readonly<Record<number, number>> = {
  0x0004: 20, // SHA-1
  0x000b: 32, // SHA-256
  [SHA384]: 48,
  0x000d: 64, // SHA-512
  0x0012: 32, // SM3
};
const END_MARK = 0xffffffff;
const AAEL_TAG = 0x4141454c;
const SPACE = 0x20;
const RUNTIME_EVENT = 0x08000001;

function bad(why: string): never {
  throw new FFEError(
    'bad_input',
    `event log: ${why}`,
    'fetch the evidence again; the log must belong to the quote',
  );
}

// The first record keeps the old form: a 20-byte digest, and it only describes the format.
function skipHeader(input: Reader): void {
  input.u32('register');
  if (input.u32('type') !== NO_ACTION) bad('does not begin with a specification id event');
  input.take(20, 'digest');
  input.take(input.u32('event size'), 'event');
}

function readDigests(input: Reader): Uint8Array | undefined {
  let out: Uint8Array | undefined;
  const count = input.u32('digest count');
  if (count === 0 || count > 8) bad(`an entry has ${count} digests`);
  for (let i = 0; i < count; ++i) {
    const algorithm = input.u16('digest algorithm');
    const size = DIGEST_SIZES[algorithm] ?? bad(`unknown digest algorithm ${algorithm}`);
    const digest = input.take(size, 'digest');
    if (algorithm === SHA384) out = digest;
  }
  return out;
}

// Splits "<domain> <operation> <content>" of an attestation agent's entry.
function readAgentEntry(event: LogEvent): LogEvent {
  const input = new Reader(event.data, 'event log: AAEL entry');
  if (event.type !== EVENT_TAG || event.data.length < 8 || input.u32('tag') !== AAEL_TAG) {
    return event;
  }
  const text = input.take(input.u32('text length'), 'text');
  if (!input.done) bad('an AAEL entry has trailing bytes');
  if (!equalBytes(sha384(event.data), event.digest)) bad('an AAEL entry does not match its digest');
  const end = text.indexOf(SPACE, text.indexOf(SPACE) + 1);
  if (end <= 0 || text.indexOf(SPACE) === end)
    bad('an AAEL entry is not "domain operation content"');
  const name = String.fromCharCode(...text.subarray(0, end));
  return { ...event, name, data: text.subarray(end + 1), bound: true };
}

/** Takes the SHA-384 digest of every entry; stops at the end mark. @throws FFEError `bad_input` */
export function parseCcel(log: Uint8Array): LogEvent[] {
  if (log.length > MAX_LOG) bad('larger than 16 MiB');
  const input = new Reader(log, 'event log');
  skipHeader(input);
  const out: LogEvent[] = [];
  while (!input.done) {
    const index = input.u32('register');
    if (index === END_MARK) break;
    const type = input.u32('type');
    const digest = readDigests(input);
    const data = input.take(input.u32('event size'), 'event');
    if (type === NO_ACTION) continue;
    if (index < 1 || index > 4) bad(`an entry names register ${index}`);
    if (digest === undefined) return bad('an entry has no SHA-384 digest');
    if (out.length === MAX_EVENTS) bad('too many entries');
    out.push(readAgentEntry({ rtmr: index - 1, type, digest, name: '', data, bound: false }));
  }
  return out;
}

const le32 = (value: number): Uint8Array =>
  Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);

/** SHA-384(le32(type) ‖ ":" ‖ event ‖ ":" ‖ payload). */
const runtimeDigest = (event: string, payload: Uint8Array): Uint8Array =>
  sha384(concat(le32(RUNTIME_EVENT), utf8(`:${event}:`), payload));

/** `[{"imr","event_type","digest","event","event_payload"}]`. Digests of runtime events are
 * recomputed, whatever the log says. @throws FFEError `bad_input` */
export function parseDstackLog(text: string): LogEvent[] {
  const json = parseJson(text, 'event log', { maxLength: MAX_LOG });
  if (!Array.isArray(json) || json.length > MAX_EVENTS) return bad('is not a list of events');
  return json.map((item, i) => {
    const f = new Fields(item, `event log[${i}]`);
    const rtmr = f.integer('imr', 3);
    const type = f.integer('event_type', 2 ** 32 - 1);
    const name = f.string('event');
    const data = fromHex(f.string('event_payload'), f.path('event_payload'));
    if (type !== RUNTIME_EVENT) {
      const digest = fromHex(f.string('digest'), f.path('digest'), 48);
      return { rtmr, type, digest, name, data, bound: false };
    }
    if (rtmr !== 3) bad('a runtime event is not in RTMR3');
    return { rtmr, type, digest: runtimeDigest(name, data), name, data, bound: true };
  });
}

/** @throws FFEError `bad_input` */
export const parseEventLog = ({ format, bytes }: EventLog): LogEvent[] =>
  format === 'ccel' ? parseCcel(bytes) : parseDstackLog(fromUtf8(bytes, 'event log'));

/** The four registers after all events, from zero: R' = SHA-384(R ‖ digest). */
export function replay(events: readonly LogEvent[]): Uint8Array[] {
  const out = Array.from({ length: 4 }, () => new Uint8Array(48));
  for (const { rtmr, digest } of events) {
    out[rtmr] = sha384(concat(out[rtmr] as Uint8Array, digest)) as Uint8Array<ArrayBuffer>;
  }
  return out;
}

/** @throws FFEError `attestation` naming the register unless the replay gives those of the report. */
export function checkReplay(events: readonly LogEvent[], { rtmrs }: TdReport): void {
  const plain = (bytes: Uint8Array): string => toHex(bytes).slice(2);
  replay(events).forEach((replayed, i) => {
    const quoted = rtmrs[i] as Uint8Array;
    if (equalBytes(replayed, quoted)) return;
    refuse(
      `event log: replay gives RTMR${i} ${plain(replayed)}, the quote has ${plain(quoted)}`,
      'the log is incomplete or was altered; nothing in it can be believed',
    );
  });
}
