// Certificates and revocation lists of Intel's attestation PKI, no more of X.509 than that.
import { crypto } from '@noble/hashes/crypto';
import { concat, decodeBase64, equalBytes, toHex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { DerReader, derTag, formatUtc } from './der.js';

const MAX_DER = 16 * 1024;
const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
const P256 = '1.2.840.10045.3.1.7';
const COMMON_NAME = '2.5.4.3';
const SUBJECT_KEY_ID = '2.5.29.14';
const KEY_USAGE = '2.5.29.15';
const BASIC_CONSTRAINTS = '2.5.29.19';
const CRL_NUMBER = '2.5.29.20';
const AUTHORITY_KEY_ID = '2.5.29.35';

/** @throws FFEError `attestation` */
export function refuse(message: string, hint: string): never {
  throw new FFEError('attestation', message, hint);
}
const NOT_GENUINE = 'the chain is not genuine';

/** ECDSA on P-256 with SHA-256; key X ‖ Y and signature r ‖ s, 64 bytes each. High s is valid:
 * Intel makes such signatures. */
export async function verifyP256(
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const { subtle } = crypto as Crypto;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  try {
    const point = concat(Uint8Array.of(4), key) as BufferSource;
    const imported = await subtle.importKey('raw', point, algorithm, false, ['verify']);
    return await subtle.verify(
      { name: 'ECDSA', hash: 'SHA-256' },
      imported,
      signature as BufferSource,
      message as BufferSource,
    );
  } catch {
    return false; // not a point of the curve
  }
}

// SEQUENCE { r, s } to r(32) ‖ s(32).
function rawSignature(der: Uint8Array, what: string): Uint8Array {
  const pair = new DerReader(der, what).inside(derTag.sequence);
  const out = new Uint8Array(64);
  for (const end of [32, 64]) {
    const value = pair.integer();
    const digits = value[0] === 0 ? value.subarray(1) : value;
    if (((value[0] as number) & 0x80) !== 0 || digits.length > 32) pair.bad('bad signature');
    out.set(digits, end - digits.length);
  }
  pair.end();
  return out;
}

type Extensions = Map<string, Uint8Array>;

function readExtensions(list: DerReader): Extensions {
  const out: Extensions = new Map();
  while (!list.empty) {
    const item = list.inside(derTag.sequence);
    const id = item.oid();
    if (item.next === derTag.boolean) item.take();
    const { value } = item.take(derTag.octets);
    item.end();
    if (out.has(id)) list.bad('an extension is there twice');
    out.set(id, value);
  }
  return out;
}

function commonName(name: Uint8Array, what: string): string {
  const rdns = new DerReader(name, what).inside(derTag.sequence);
  while (!rdns.empty) {
    const attribute = rdns.inside(derTag.set).inside(derTag.sequence);
    if (attribute.oid() === COMMON_NAME) return new TextDecoder().decode(attribute.take().value);
  }
  return '';
}

/** What certificates and lists have in common: SEQUENCE { body, algorithm, signature }. */
class Envelope {
  readonly body: DerReader;
  readonly algorithm: string;
  private readonly signed: Uint8Array;
  private readonly signature: Uint8Array;

  /** @throws FFEError `bad_input` */
  constructor(
    der: Uint8Array,
    private readonly what: string,
  ) {
    const all = new DerReader(der, what);
    const outer = all.inside(derTag.sequence);
    all.end();
    const body = outer.take(derTag.sequence);
    this.signed = body.raw;
    this.body = new DerReader(body.value, what);
    this.algorithm = outer.inside(derTag.sequence).oid();
    this.signature = outer.bits();
    outer.end();
  }

  /** Takes the body's own copy of the algorithm. */
  takeAlgorithm(): void {
    const inner = this.body.inside(derTag.sequence).oid();
    if (inner !== this.algorithm) this.body.bad('two signature algorithms');
  }

  isSignedBy(issuer: Certificate): Promise<boolean> {
    const signature = rawSignature(this.signature, this.what);
    return verifyP256(issuer.publicKey, this.signed, signature);
  }
}

// The key identifier of an authority key identifier extension.
function authorityKeyId(extensions: Extensions, what: string): Uint8Array | undefined {
  const value = extensions.get(AUTHORITY_KEY_ID);
  if (value === undefined) return undefined;
  const inside = new DerReader(value, what).inside(derTag.sequence);
  return inside.next === 0x80 ? inside.take().value : undefined;
}

/** A certificate in DER. */
export class Certificate {
  readonly der: Uint8Array;
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  /** The number's bytes, as DER has them. */
  readonly serialBytes: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly extensions: Extensions;
  private readonly version: number;
  private readonly envelope: Envelope;
  private readonly point: Uint8Array | undefined;

  /** @throws FFEError `bad_input` */
  constructor(der: Uint8Array) {
    if (der.length > MAX_DER) new DerReader(der, 'X.509').bad('certificate too large');
    this.der = der;
    this.envelope = new Envelope(der, 'X.509');
    const tbs = this.envelope.body;
    this.version = tbs.next === 0xa0 ? tbs.inside(0xa0).small(2) + 1 : 1;
    this.serialBytes = tbs.integer();
    this.envelope.takeAlgorithm();
    this.issuer = tbs.take(derTag.sequence).raw;
    const validity = tbs.inside(derTag.sequence);
    this.notBefore = validity.time();
    this.notAfter = validity.time();
    validity.end();
    this.subject = tbs.take(derTag.sequence).raw;
    this.point = Certificate.readKey(tbs.inside(derTag.sequence));
    this.extensions = new Map();
    while (!tbs.empty) {
      const part = tbs.take();
      if (part.tag !== 0xa3) continue; // unique ids of issuer and subject
      const list = new DerReader(part.value, 'X.509').inside(derTag.sequence);
      this.extensions = readExtensions(list);
    }
  }

  private static readKey(info: DerReader): Uint8Array | undefined {
    const algorithm = info.inside(derTag.sequence);
    const known = algorithm.oid() === EC_PUBLIC_KEY && algorithm.oid() === P256;
    const point = info.bits();
    return known && point.length === 65 && point[0] === 4 ? point.subarray(1) : undefined;
  }

  get name(): string {
    return commonName(this.subject, 'X.509');
  }

  get serial(): string {
    return toHex(this.serialBytes).slice(2);
  }

  /** X ‖ Y, 64 bytes. @throws FFEError `attestation` for another kind of key. */
  get publicKey(): Uint8Array {
    return (
      this.point ?? refuse(`${this.name}: key is not an uncompressed P-256 point`, NOT_GENUINE)
    );
  }

  get subjectKeyId(): Uint8Array | undefined {
    const value = this.extensions.get(SUBJECT_KEY_ID);
    return value && new DerReader(value, 'X.509').take(derTag.octets).value;
  }

  /** Checks form, dates, issuer, signature and place in the chain.
   * @throws FFEError `attestation` */
  async check(issuer: Certificate, role: Role, now: number): Promise<void> {
    const { name } = this;
    if (this.version !== 3 || this.envelope.algorithm !== ECDSA_SHA256) {
      refuse(`${name}: not X.509 v3 with ECDSA and SHA-256`, NOT_GENUINE);
    }
    if (now < this.notBefore || now > this.notAfter) {
      refuse(
        `${name}: valid from ${formatUtc(this.notBefore)} to ${formatUtc(this.notAfter)}, not at ` +
          formatUtc(now),
        "check this machine's clock; if it is right, the platform needs new certificates",
      );
    }
    void this.publicKey;
    if (!equalBytes(this.issuer, issuer.subject)) {
      refuse(`${name}: issuer name is not that of ${issuer.name}`, NOT_GENUINE);
    }
    const authority = authorityKeyId(this.extensions, 'X.509');
    const subject = issuer.subjectKeyId;
    if (authority === undefined || subject === undefined || !equalBytes(authority, subject)) {
      refuse(
        `${name}: authority key identifier is missing or not that of ${issuer.name}`,
        NOT_GENUINE,
      );
    }
    if (!(await this.envelope.isSignedBy(issuer))) {
      refuse(`${name}: signature of ${issuer.name} is wrong`, NOT_GENUINE);
    }
    this.checkConstraints(role, name);
  }

  private checkConstraints(role: Role, name: string): void {
    const isCa = role !== 'leaf';
    const constraints = this.constraints();
    if (constraints.ca !== isCa) {
      refuse(`${name}: basic constraints do not fit its place in the chain`, NOT_GENUINE);
    }
    const usage = this.keyUsage();
    const signsCertificates = (usage & 0x04) !== 0;
    const right = isCa
      ? signsCertificates && (usage & 0x02) !== 0
      : (usage & 0x80) !== 0 && !signsCertificates;
    if (!right) refuse(`${name}: key usage does not fit its place in the chain`, NOT_GENUINE);
    if (isCa && !(constraints.path <= (role === 'root' ? 1 : 0))) {
      refuse(`${name}: path length constraint is missing or too large`, NOT_GENUINE);
    }
  }

  private constraints(): { ca: boolean; path: number } {
    const value = this.extensions.get(BASIC_CONSTRAINTS);
    if (value === undefined) return { ca: false, path: Infinity };
    const inside = new DerReader(value, 'X.509').inside(derTag.sequence);
    const ca = inside.next === derTag.boolean && inside.take().value[0] === 0xff;
    const path = inside.empty ? Infinity : inside.small(255);
    inside.end();
    return { ca, path };
  }

  // The first octet of the bits; 0 where the extension is absent.
  private keyUsage(): number {
    const value = this.extensions.get(KEY_USAGE);
    if (value === undefined) return 0;
    return new DerReader(value, 'X.509').take(derTag.bits).value[1] ?? 0;
  }
}

export type Role = 'root' | 'intermediate' | 'leaf';

const BEGIN = '-----BEGIN CERTIFICATE-----\n';
const END = '-----END CERTIFICATE-----';

function decodeBody(body: string, bad: (why: string) => never): Uint8Array {
  if (!body.endsWith('\n')) bad('a line has no end');
  const lines = body.slice(0, -1).split('\n');
  lines.forEach((line, i) => {
    const full = i < lines.length - 1;
    if (line === '' || line.length > 64 || (full && line.length !== 64)) {
      bad(`a line has ${line.length} characters`);
    }
  });
  return decodeBase64(lines.join(''), bad);
}

/** Certificates only, 64 columns, LF line ends; at most `most`. @throws FFEError `bad_input` */
export function parsePemChain(pem: string, most: number): Certificate[] {
  const bad = (why: string): never => {
    throw new FFEError(
      'bad_input',
      `PEM: ${why}`,
      'the chain must be plain PEM: certificates only, 64 columns, LF line ends',
    );
  };
  const out: Certificate[] = [];
  for (let rest = pem; rest !== '';) {
    if (out.length === most) bad(`more than ${most} certificates`);
    if (!rest.startsWith(BEGIN)) bad('text that is not a certificate block');
    rest = rest.slice(BEGIN.length);
    const end = rest.indexOf(END);
    if (end < 0) bad('a block has no end');
    out.push(new Certificate(decodeBody(rest.slice(0, end), bad)));
    rest = rest.slice(end + END.length);
    if (rest !== '' && !rest.startsWith('\n')) bad('text after a block');
    rest = rest.slice(1);
  }
  return out;
}

/** A certificate revocation list. */
export class RevocationList {
  readonly nextUpdate: number;
  readonly entries: number;
  private readonly thisUpdate: number;
  private readonly issuer: Uint8Array;
  private readonly envelope: Envelope;
  private readonly extensions: Extensions;
  private readonly revoked = new Set<string>();

  /** @throws FFEError `bad_input` */
  constructor(der: Uint8Array) {
    this.envelope = new Envelope(der, 'CRL');
    const tbs = this.envelope.body;
    if (tbs.next === derTag.integer) tbs.small(1);
    this.envelope.takeAlgorithm();
    this.issuer = tbs.take(derTag.sequence).raw;
    this.thisUpdate = tbs.time();
    this.nextUpdate = tbs.time();
    if (tbs.next === derTag.sequence) {
      const list = tbs.inside(derTag.sequence);
      while (!list.empty) {
        const entry = list.inside(derTag.sequence);
        this.revoked.add(toHex(entry.integer()));
        entry.time();
      }
    }
    this.entries = this.revoked.size;
    this.extensions =
      tbs.next === 0xa0 ? readExtensions(tbs.inside(0xa0).inside(derTag.sequence)) : new Map();
    tbs.end();
  }

  /** @throws FFEError `attestation` unless it is `issuer`'s and current. */
  async check(issuer: Certificate, now: number): Promise<void> {
    const name = `CRL of ${issuer.name}`;
    if (!equalBytes(this.issuer, issuer.subject)) {
      refuse(
        `${name}: issued by another authority`,
        "fetch collateral for this quote's PCK issuer",
      );
    }
    const { envelope } = this;
    if (envelope.algorithm !== ECDSA_SHA256 || !(await envelope.isSignedBy(issuer))) {
      refuse(`${name}: signature is wrong`, 'fetch the collateral again');
    }
    if (now < this.thisUpdate || now > this.nextUpdate) {
      refuse(
        `${name}: valid from ${formatUtc(this.thisUpdate)} to ${formatUtc(this.nextUpdate)}, not ` +
          `at ${formatUtc(now)}`,
        "fetch fresh collateral, or check this machine's clock",
      );
    }
    const authority = authorityKeyId(this.extensions, 'CRL');
    const subject = issuer.subjectKeyId;
    const sameKey =
      authority !== undefined && subject !== undefined && equalBytes(authority, subject);
    if (!sameKey || !this.extensions.has(CRL_NUMBER)) {
      refuse(
        `${name}: key identifier or CRL number is missing or foreign`,
        'fetch the collateral again',
      );
    }
  }

  revokes(certificate: Certificate): boolean {
    return this.revoked.has(toHex(certificate.serialBytes));
  }
}
