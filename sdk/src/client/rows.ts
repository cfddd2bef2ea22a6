// Rows as contributors submit them (docs/spec/training-data.md): JSON Lines, checked before anything
// is staked. Messages never quote a row.
import { checkAborted, FFEError } from '../base/errors.js';
import { JsonSyntaxError, parseStrict, type Json } from '../base/json.js';
import { concat, utf8 } from '../base/bytes.js';
import { sha256 } from '../crypto/hash.js';
import type { Source } from '../session/blob.js';

const MAX_LINE = 1 << 20;
const MAX_DEPTH = 8;
const MAX_ROWS = 10_000_000;
const MAX_MESSAGES = 1024;

/** What a file of rows holds. */
export interface DataCheck {
  rows: number;
  bytes: number;
  /** Rows that stand in the file before. */
  duplicates: number;
}

class RowFault extends Error {
  constructor(
    readonly column: number,
    reason: string,
  ) {
    super(reason);
  }
}

function fault(reason: string): never {
  throw new RowFault(1, reason);
}

// The first byte that is not UTF-8: a decoder in stream mode objects as soon as it is certain.
function utf8Fault(line: Uint8Array): number {
  const good = (size: number): boolean => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(line.subarray(0, size), {
        stream: size < line.length,
      });
      return true;
    } catch {
      return false;
    }
  };
  let low = 0;
  let high = line.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (good(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function parseLine(line: Uint8Array): Json {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line);
  } catch {
    throw new RowFault(utf8Fault(line) + 1, 'not UTF-8');
  }
  try {
    return parseStrict(text, MAX_DEPTH);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    if (/^nested|twice$/.test(error.message)) {
      fault(`nested deeper than ${MAX_DEPTH} levels, or a member is there twice`);
    }
    if (error.message.includes('out of range')) fault('a number is out of range');
    throw new RowFault(utf8(text.slice(0, error.offset)).length + 1, 'not JSON');
  }
}

type JsonObject = { [key: string]: Json };

function textMember(object: JsonObject, key: string): string {
  const value = object[key];
  if (value === undefined) return fault(`has no "${key}"`);
  return typeof value === 'string' ? value : fault(`"${key}" is not a text`);
}

type Message = [role: string, content: string];

function readMessages(list: Json, member: string, out: Message[]): void {
  if (!Array.isArray(list)) fault(`"${member}" is not a list`);
  if (list.length > MAX_MESSAGES) fault(`more than ${MAX_MESSAGES} messages`);
  for (const entry of list) {
    const at = `${member}[${out.length}]`;
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      return fault(`${at} is not an object`);
    }
    const message: Message = [textMember(entry, 'role'), textMember(entry, 'content')];
    if (!['system', 'user', 'assistant'].includes(message[0])) {
      fault(`${at}: the role is none of system, user and assistant`);
    }
    if (message[0] === 'system' && out.length > 0) fault(`${at}: only the first may be system`);
    out.push(message);
  }
}

function readPromptOrCompletion(
  object: JsonObject,
  member: string,
  role: string,
  out: Message[],
): void {
  const value = object[member];
  if (Array.isArray(value)) readMessages(value, member, out);
  else out.push([role, textMember(object, member)]);
}

// What counts when rows are compared.
function rowKey(json: Json): string {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return fault('not an object');
  const messages: Message[] = [];
  if (json.messages !== undefined) {
    readMessages(json.messages, 'messages', messages);
  } else if (json.prompt !== undefined) {
    readPromptOrCompletion(json, 'prompt', 'user', messages);
    readPromptOrCompletion(json, 'completion', 'assistant', messages);
  } else if (json.instruction !== undefined) {
    let question = textMember(json, 'instruction');
    const hasInput = json.input !== undefined && json.input !== null;
    const input = hasInput ? textMember(json, 'input') : '';
    if (input !== '') question += `\n\n${input}`;
    messages.push(['user', question], ['assistant', textMember(json, 'output')]);
  } else if (json.text !== undefined) {
    const text = textMember(json, 'text');
    return text === '' ? fault('"text" is empty') : text;
  } else {
    fault('has none of "messages", "prompt", "instruction" and "text"');
  }
  if (messages.at(-1)?.[0] !== 'assistant') fault("does not end with an assistant's message");
  return messages.map((message) => `${message.join('\0')}\0`).join('');
}

// Lines of a byte stream, without line feeds; undefined for one that is too long.
async function* lines(
  source: Source,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array | undefined> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  const finish = (): Uint8Array | undefined => {
    const line = size > MAX_LINE ? undefined : concat(...pieces);
    pieces = [];
    size = 0;
    return line;
  };
  let open = false;
  for await (const bytes of source.stream()) {
    count(bytes.length);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      size += end - start;
      if (size <= MAX_LINE) pieces.push(bytes.slice(start, end));
      yield finish();
      open = false;
      start = end + 1;
    }
    if (start < bytes.length) {
      size += bytes.length - start;
      if (size <= MAX_LINE) pieces.push(bytes.slice(start));
      else pieces = [];
      open = true;
    }
  }
  if (open) yield finish();
}

const isBlank = (line: Uint8Array): boolean =>
  line.every((byte) => byte === 32 || byte === 9 || byte === 13);

/** 53 bits of a hash: enough to count duplicates, few bytes for each row. */
function fingerprint(text: string): number {
  const hash = sha256(utf8(text));
  const view = new DataView(hash.buffer, hash.byteOffset);
  return view.getUint32(0) * 2 ** 21 + (view.getUint32(4) >>> 11);
}

/** Reads every row. @throws FFEError `bad_input` "what:line:column: …" for a broken one and for no
 * rows at all. */
export async function checkRows(
  source: Source,
  what: string,
  signal?: AbortSignal,
): Promise<DataCheck> {
  const out: DataCheck = { rows: 0, bytes: 0, duplicates: 0 };
  const seen = new Set<number>();
  let number = 0;
  for await (let line of lines(source, (bytes) => void (out.bytes += bytes))) {
    ++number;
    if (line !== undefined) {
      if (number === 1 && line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf) {
        line = line.subarray(3);
      }
      if (isBlank(line)) continue;
    }
    if (out.rows === MAX_ROWS) {
      throw new FFEError('bad_input', `${what}: more than ${MAX_ROWS} rows`);
    }
    ++out.rows;
    if (out.rows % 1000 === 0) checkAborted(signal);
    try {
      if (line === undefined) return fault(`longer than ${MAX_LINE} bytes`);
      const key = fingerprint(rowKey(parseLine(line)));
      if (seen.has(key)) ++out.duplicates;
      seen.add(key);
    } catch (error) {
      if (!(error instanceof RowFault)) throw error;
      throw new FFEError(
        'bad_input',
        `${what}:${number}:${error.column}: ${error.message}`,
        'each line is one JSON object with messages, prompt and completion, instruction and ' +
          'output, or text',
      );
    }
  }
  if (out.rows === 0) {
    throw new FFEError(
      'bad_input',
      `${what}: no rows`,
      'write one JSON object a line, for example {"prompt":"…","completion":"…"}',
    );
  }
  return out;
}
