import { normalHex, type Hex } from './bytes.js';
import { FFEError } from './errors.js';

/** What JSON can hold here. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Where a text stopped being JSON; `offset` counts UTF-16 units from 0. */
export class JsonSyntaxError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

// RFC 8259 without duplicate members, which JSON.parse lets pass.
class Parser {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
  ) {}

  document(): Json {
    const value = this.value(0);
    this.space();
    if (this.at < this.text.length) this.fail('text after the value');
    return value;
  }

  private fail(message: string): never {
    throw new JsonSyntaxError(message, this.at);
  }

  private space(): void {
    while (/[ \t\r\n]/.test(this.text.charAt(this.at))) ++this.at;
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private literal<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail('not a value');
    this.at += word.length;
    return value;
  }

  private string(): string {
    const token = this.take(STRING);
    if (token === undefined) this.fail('not a string');
    return JSON.parse(token) as string;
  }

  private value(depth: number): Json {
    this.space();
    const first = this.text.charAt(this.at);
    if (first === '{') return this.object(depth + 1);
    if (first === '[') return this.array(depth + 1);
    if (first === '"') return this.string();
    if (first === 't') return this.literal('true', true);
    if (first === 'f') return this.literal('false', false);
    if (first === 'n') return this.literal('null', null);
    const token = this.take(NUMBER);
    if (token === undefined) this.fail('not a value');
    const number = Number(token);
    if (!Number.isFinite(number)) this.fail('a number is out of range');
    return number;
  }

  // The items between two brackets, with commas between them.
  private items(close: string, depth: number, item: () => void): void {
    if (depth > this.maxDepth) this.fail(`nested deeper than ${this.maxDepth} levels`);
    ++this.at;
    this.space();
    if (this.text.charAt(this.at) === close) {
      ++this.at;
      return;
    }
    for (;;) {
      item();
      this.space();
      const next = this.text.charAt(this.at);
      if (next !== ',' && next !== close) this.fail(`expected , or ${close}`);
      ++this.at;
      if (next === close) return;
    }
  }

  private array(depth: number): Json[] {
    const out: Json[] = [];
    this.items(']', depth, () => out.push(this.value(depth)));
    return out;
  }

  private object(depth: number): { [key: string]: Json } {
    const out = Object.create(null) as { [key: string]: Json };
    this.items('}', depth, () => {
      this.space();
      const key = this.string();
      if (key in out) this.fail('a member is there twice');
      this.space();
      if (this.text.charAt(this.at) !== ':') this.fail('expected :');
      ++this.at;
      out[key] = this.value(depth);
    });
    return out;
  }
}

export interface JsonLimits {
  maxLength?: number;
  maxDepth?: number;
}

/** @throws JsonSyntaxError */
export function parseStrict(text: string, maxDepth = 16): Json {
  return new Parser(text, maxDepth).document();
}

/** Parses untrusted JSON: no duplicate members, bounded size and depth.
 * @throws FFEError `bad_input` naming `what`. */
export function parseJson(text: string, what: string, limits: JsonLimits = {}): Json {
  if (text.length > (limits.maxLength ?? 16 << 20)) {
    throw new FFEError('bad_input', `${what} is too long`);
  }
  try {
    return parseStrict(text, limits.maxDepth);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new FFEError('bad_input', `${what}: ${error.message} at character ${error.offset + 1}`);
  }
}

/** RFC 8785 for strings, whole numbers, arrays and objects. */
export function canonicalJson(value: Json): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as Json)}`);
    return `{${members.join(',')}}`;
  }
  throw new FFEError(
    'bad_input',
    'canonical JSON holds strings, integers, arrays and objects only',
  );
}

/** Parses a text that must be in canonical form, since its hash names it. */
export function parseCanonical(text: string, what: string, maxLength: number): Json {
  const json = parseJson(text, what, { maxLength });
  if (canonicalJson(json) !== text) {
    throw new FFEError(
      'bad_input',
      `${what} is not in canonical form (RFC 8785)`,
      'its hash would depend on spaces or on the order of members',
    );
  }
  return json;
}

const DECIMAL = /^(?:0|[1-9]\d*)$/;

/** Reads the members of an object one by one; an unknown member is an error. */
export class Fields {
  private readonly json: { [key: string]: Json };
  private readonly seen = new Set<string>();

  constructor(
    json: Json | undefined,
    readonly where: string,
  ) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new FFEError('bad_input', `${where} is not an object`);
    }
    this.json = json;
  }

  path(key: string): string {
    return `${this.where}.${key}`;
  }

  private bad(key: string, why: string): never {
    throw new FFEError('bad_input', `${this.path(key)} ${why}`);
  }

  has(key: string): boolean {
    return Object.hasOwn(this.json, key);
  }

  member(key: string): Json {
    if (!this.has(key)) this.bad(key, 'is missing');
    this.seen.add(key);
    return this.json[key] as Json;
  }

  string(key: string): string {
    const value = this.member(key);
    return typeof value === 'string' ? value : this.bad(key, 'is not a string');
  }

  expect(key: string, text: string): void {
    if (this.string(key) !== text) this.bad(key, `is not "${text}"`);
  }

  /** A whole number of at most `max`. */
  integer(key: string, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.member(key);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      this.bad(key, 'is not a whole number');
    }
    return value <= max ? value : this.bad(key, `is above ${max}`);
  }

  /** A whole number, negative too. */
  signed(key: string): number {
    const value = this.member(key);
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      this.bad(key, 'is not a whole number');
    }
    return value;
  }

  /** A decimal string below 2^bits. */
  decimal(key: string, bits: number): bigint {
    const text = this.string(key);
    if (text.length > 78 || !DECIMAL.test(text) || BigInt(text) >> BigInt(bits) !== 0n) {
      this.bad(key, `is not a decimal number below 2^${bits}`);
    }
    return BigInt(text);
  }

  hex(key: string, size: number): Hex {
    const text = this.string(key);
    if (text.length !== 2 + 2 * size) this.bad(key, `is not ${size} bytes in hexadecimal`);
    return normalHex(text, this.path(key), size);
  }

  array<T>(key: string, limit: number, item: (value: Json, where: string) => T): T[] {
    const list = this.member(key);
    if (!Array.isArray(list)) this.bad(key, 'is not an array');
    if (list.length > limit) this.bad(key, `has more than ${limit} items`);
    return list.map((value, i) => item(value, `${this.path(key)}[${i}]`));
  }

  integers(key: string, limit: number): number[] {
    return this.array(key, limit, (value, where) => {
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
        throw new FFEError('bad_input', `${where} is not a whole number`);
      }
      return value;
    });
  }

  /** Refuses what nobody asked for. */
  done(): void {
    for (const key of Object.keys(this.json)) {
      if (!this.seen.has(key)) this.bad(key, 'is not a known member');
    }
  }
}
