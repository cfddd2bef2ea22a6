// What comes beside a quote, as the enclave service and files carry it.
import { decodeBase64, fromHex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, type Json } from '../base/json.js';
import type { EventLog } from './event-log.js';

export interface Evidence {
  quote: Uint8Array;
  eventLog?: EventLog;
  /** Its SHA-512 is the report data, on platforms that have it. */
  runtimeData?: Uint8Array;
}

const base64Member = (f: Fields, key: string): Uint8Array =>
  decodeBase64(f.string(key), (why) => {
    throw new FFEError('bad_input', `${f.path(key)}: ${why}`, 'fetch the evidence again');
  });

function formatOf(name: string): EventLog['format'] {
  if (name === 'ccel' || name === 'dstack') return name;
  throw new FFEError(
    'bad_input',
    `evidence: unknown event log format "${name.slice(0, 20)}"`,
    'known: ccel, dstack',
  );
}

/** `{"quote":"0x…","eventLogFormat":"ccel"|"dstack","eventLog":base64,"runtimeData":base64}`; other
 * members are ignored. @throws FFEError `bad_input` */
export function evidenceFromJson(json: Json): Evidence {
  const f = new Fields(json, 'evidence');
  const out: Evidence = { quote: fromHex(f.string('quote'), f.path('quote')) };
  if (f.has('eventLog')) {
    const format = formatOf(f.string('eventLogFormat'));
    out.eventLog = { format, bytes: base64Member(f, 'eventLog') };
  }
  if (f.has('runtimeData')) out.runtimeData = base64Member(f, 'runtimeData');
  return out;
}
