// What the application layer of a machine is, as its replayed event log tells it. Call only with
// events whose replay was checked against a verified quote.
import { concat, fromHex, fromUtf8, toHex, utf8, type Hex } from '../base/bytes.js';
import { Fields, parseJson, type Json } from '../base/json.js';
import { keccak256 } from '../crypto/hash.js';
import type { LogEvent } from './event-log.js';
import { refuse as refuseAttestation } from './x509.js';

const TAPP = 'tapp.0g.com ';

const refuse = (message: string, hint: string): never =>
  refuseAttestation(`application: ${message}`, hint);

const operationOf = ({ rtmr, bound, name }: LogEvent): string | undefined =>
  bound && rtmr === 3 && name.startsWith(TAPP) ? name.slice(TAPP.length) : undefined;

const contentOf = ({ data }: LogEvent, operation: string): Fields =>
  new Fields(parseJson(fromUtf8(data, operation), operation), operation);

function stringMap(content: Fields, key: string): Map<string, string> {
  const out = new Map<string, string>();
  const value = content.has(key) ? content.member(key) : null;
  if (value === null) return out;
  if (typeof value !== 'object' || Array.isArray(value)) {
    return refuse(`${key} is not a map`, 'the log is of another version');
  }
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string' || /[=\n]/.test(name) || text.includes('\n')) {
      return refuse(`${key} holds an unusable entry`, 'rename the service or file');
    }
    out.set(name, text);
  }
  return out;
}

function succeeded(content: Fields): boolean {
  const result: Json = content.has('result') ? content.member('result') : false;
  return result === true || result === 'success';
}

/** 0G Tapp: the application that its last successful start_app started. */
export interface TappApplication {
  appId: string;
  /** SHA-384 of the normalised compose file. */
  composeHash: Uint8Array;
  /** Service → "sha256:<hex>". */
  imageHashes: Map<string, string>;
  /** Mounted file → SHA-384. */
  volumeHashes: Map<string, string>;
}

function started(content: Fields): TappApplication {
  const out = {
    appId: content.string('app_id'),
    composeHash: fromHex(content.string('compose_hash'), content.path('compose_hash'), 48),
    imageHashes: stringMap(content, 'image_hash'),
    volumeHashes: stringMap(content, 'volumes_hash'),
  };
  for (const [service, digest] of out.imageHashes) {
    if (!digest.startsWith('sha256:') || digest.length !== 71) {
      refuse(
        `image of ${service} is not named by its digest`,
        'write image@sha256:… in the compose file',
      );
    }
  }
  if (out.imageHashes.size === 0) {
    refuse('no image digests were measured', 'the Tapp service is too old');
  }
  return out;
}

/** @throws FFEError `attestation` unless `appId` runs, it alone was ever started since boot (another
 * application on the same machine could have read its secrets), and its images are named by digest. */
export function tappApplication(events: readonly LogEvent[], appId: string): TappApplication {
  const named = appId.slice(0, 60);
  let running: TappApplication | undefined;
  for (const event of events) {
    if (event.rtmr !== 3) continue;
    if (!event.bound) {
      refuse('RTMR3 holds an entry whose content is not proven', 'do not trust this machine');
    }
    const operation = operationOf(event);
    if (operation !== 'start_app' && operation !== 'stop_app') continue;
    const content = contentOf(event, operation);
    const id = content.string('app_id');
    if (id !== appId) {
      // A failed start counts too: parts of it may have run.
      refuse(
        `"${id.slice(0, 60)}" was also started on this machine`,
        'the operator must reboot it and start nothing else',
      );
    }
    if (succeeded(content)) running = operation === 'start_app' ? started(content) : undefined;
  }
  return running ?? refuse(`"${named}" is not running`, 'the operator must start it');
}

// "<key>=<value>\n" in the bytewise order of the keys.
function linesHash(entries: ReadonlyMap<string, string>): Uint8Array {
  const keyed = [...entries].map(
    ([key, value]) => [toHex(utf8(key)), `${key}=${value}\n`] as const,
  );
  keyed.sort(([a], [b]) => (a < b ? -1 : 1));
  return keccak256(keyed.map(([, line]) => line).join(''));
}

export const appHash = ({ composeHash, imageHashes, volumeHashes }: TappApplication): Hex =>
  toHex(keccak256(concat(keccak256(composeHash), linesHash(imageHashes), linesHash(volumeHashes))));

/** dstack: the payload of the one compose-hash event before boot-mr-done.
 * @throws FFEError `attestation` if there is none, or more than one. */
export function dstackComposeHash(events: readonly LogEvent[]): Hex {
  let out: Hex | undefined;
  for (const { rtmr, bound, name, data } of events) {
    if (!bound || rtmr !== 3) continue;
    if (name === 'boot-mr-done') {
      if (out !== undefined) return out;
      break;
    }
    if (name !== 'compose-hash') continue;
    if (out !== undefined || data.length !== 32) {
      refuse('the compose hash is measured twice or malformed', 'do not trust this machine');
    }
    out = toHex(data);
  }
  return refuse('no compose hash was measured before boot-mr-done', 'the machine is no dstack app');
}

const isTapp = (event: LogEvent): boolean => operationOf(event) !== undefined;

/** Whether the log says anything about an application at all. */
export const namesApplication = (events: readonly LogEvent[]): boolean =>
  events.some(
    (event) => isTapp(event) || (event.bound && event.rtmr === 3 && event.name === 'compose-hash'),
  );

/** The application half of the code hash. @throws FFEError `attestation` */
export function applicationHash(events: readonly LogEvent[]): Hex {
  if (!events.some(isTapp)) return dstackComposeHash(events);
  // The id in the first start; tappApplication() then refuses every other one.
  const first = events.find((event) => operationOf(event) === 'start_app');
  if (first === undefined) {
    return refuse('nothing was started on this machine', 'the operator must start the application');
  }
  const id = contentOf(first, 'start_app').string('app_id');
  return appHash(tappApplication(events, id));
}
