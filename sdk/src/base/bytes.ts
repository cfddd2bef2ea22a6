import { FFEError } from './errors.js';

/** `0x` and lower-case hexadecimal digits. */
export type Hex = `0x${string}`;

const DIGITS = '0123456789abcdef';

export function toHex(bytes: Uint8Array): Hex {
  let out = '';
  for (const byte of bytes) out += DIGITS.charAt(byte >> 4) + DIGITS.charAt(byte & 15);
  return `0x${out}`;
}

/** Reads hexadecimal text with or without `0x`; `size` demands a number of bytes.
 * @throws FFEError `bad_input` naming `what`. */
export function fromHex(text: string, what = 'hexadecimal text', size?: number): Uint8Array {
  const digits = text.startsWith('0x') ? text.slice(2) : text;
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) {
    throw new FFEError('bad_input', `${what} is not hexadecimal`);
  }
  if (size !== undefined && digits.length !== 2 * size) {
    throw new FFEError('bad_input', `${what} has ${digits.length / 2} bytes, not ${size}`);
  }
  const out = new Uint8Array(digits.length / 2);
  for (let i = 0; i < out.length; ++i) out[i] = parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** The same value in the form of {@link Hex}. */
export function normalHex(text: string, what: string, size: number): Hex {
  return toHex(fromHex(text, what, size));
}

export const toAddress = (text: string, what = 'address'): Hex => normalHex(text, what, 20);
export const toHash = (text: string, what = 'hash'): Hex => normalHex(text, what, 32);

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** @throws FFEError `bad_input` for bytes that are not UTF-8. */
export function fromUtf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FFEError('bad_input', `${what} is not UTF-8`);
  }
}

export function be64(value: bigint): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value);
  return out;
}

export function le64(value: bigint): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value, true);
  return out;
}

export const zeroHash: Hex = `0x${'00'.repeat(32)}`;
export const zeroAddress: Hex = `0x${'00'.repeat(20)}`;

/** Canonical base64 only; `bad` throws. */
export function decodeBase64(text: string, bad: (why: string) => never): Uint8Array {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) bad('not base64');
  const binary = atob(text);
  if (btoa(binary) !== text) bad('not canonical base64');
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}
