// DER, read strictly: definite and minimal lengths, nothing left over.
import { FFEError } from '../base/errors.js';

export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export interface Tlv {
  tag: number;
  value: Uint8Array;
  /** Tag and length too. */
  raw: Uint8Array;
}

/** Takes elements off the front. @throws FFEError `bad_input` naming `what`. */
export class DerReader {
  constructor(
    private rest: Uint8Array,
    readonly what: string,
  ) {}

  bad(why: string): never {
    throw new FFEError('bad_input', `${this.what}: ${why}`, 'the file or chain is damaged');
  }

  get empty(): boolean {
    return this.rest.length === 0;
  }

  /** The tag of the next element; undefined at the end. */
  get next(): number | undefined {
    return this.rest[0];
  }

  take(tag?: number): Tlv {
    const { rest } = this;
    if (rest.length < 2) this.bad('truncated');
    let length = rest[1] as number;
    let head = 2;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      if (octets < 1 || octets > 3 || rest.length < 2 + octets) this.bad('length is malformed');
      length = 0;
      for (let i = 0; i < octets; ++i) length = length * 256 + (rest[2 + i] as number);
      if (length < (octets === 1 ? 0x80 : 256 ** (octets - 1))) this.bad('length is not minimal');
      head += octets;
    }
    if (length > rest.length - head) this.bad('length exceeds the data');
    const out: Tlv = {
      tag: rest[0] as number,
      value: rest.subarray(head, head + length),
      raw: rest.subarray(0, head + length),
    };
    if (tag !== undefined && out.tag !== tag) this.bad(`tag ${out.tag}, expected ${tag}`);
    this.rest = rest.subarray(head + length);
    return out;
  }

  /** Reads inside the next element. */
  inside(tag: number): DerReader {
    return new DerReader(this.take(tag).value, this.what);
  }

  end(): void {
    if (!this.empty) this.bad('trailing bytes');
  }

  /** Dotted form. */
  oid(): string {
    const bytes = this.take(derTag.oid).value;
    const parts: number[] = [];
    let value = 0;
    bytes.forEach((byte, i) => {
      if (value === 0 && byte === 0x80) this.bad('an OID is not minimal');
      value = value * 128 + (byte & 0x7f);
      if (value > 2 ** 40) this.bad('an OID is too large');
      if ((byte & 0x80) !== 0) {
        if (i === bytes.length - 1) this.bad('an OID is cut off');
        return;
      }
      parts.push(value);
      value = 0;
    });
    const first = parts[0];
    if (first === undefined) return this.bad('an OID is empty');
    const top = Math.min(2, Math.floor(first / 40));
    return [top, first - 40 * top, ...parts.slice(1)].join('.');
  }

  /** The content of a whole number of either sign. */
  integer(): Uint8Array {
    const { value } = this.take(derTag.integer);
    const [first, second] = value;
    const padded =
      second !== undefined &&
      ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (first === undefined || padded) this.bad('an integer is not minimal');
    return value;
  }

  /** A whole number from 0 to `most`. */
  small(most: number): number {
    const value = this.integer();
    if (((value[0] as number) & 0x80) !== 0 || value.length > 4)
      this.bad('an integer is out of range');
    const out = value.reduce((sum, byte) => sum * 256 + byte, 0);
    return out <= most ? out : this.bad('an integer is out of range');
  }

  /** A bit string without unused bits. */
  bits(): Uint8Array {
    const { value } = this.take(derTag.bits);
    if (value[0] !== 0) this.bad('a bit string has unused bits');
    return value.subarray(1);
  }

  /** UTCTime or GeneralizedTime to the second, as unix seconds. */
  time(): number {
    const { tag, value } = this.take();
    const text = String.fromCharCode(...value);
    if (tag !== derTag.utcTime && tag !== derTag.generalizedTime) this.bad('a date is malformed');
    const century = Number(text.slice(0, 2)) < 50 ? '20' : '19'; // RFC 5280
    const full = tag === derTag.utcTime ? century + text : text;
    const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
    if (parts === null) return this.bad('a date is malformed');
    const [, year, month, day, hour, minute, second] = parts;
    return parseUtc(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  }
}

export const formatUtc = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

/** ISO 8601 in UTC to the second, as unix seconds. @throws FFEError `bad_input` */
export function parseUtc(text: string): number {
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text);
  const seconds = form ? Date.parse(text) / 1000 : NaN;
  // Formatting back refuses 31 February.
  if (Number.isNaN(seconds) || formatUtc(seconds) !== text) {
    throw new FFEError('bad_input', `date "${text.slice(0, 40)}" is not UTC in ISO 8601`);
  }
  return seconds;
}
