// Event logs and the applications that they name: vectors, recorded logs, altered bytes.
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex, utf8, type Hex } from '../src/base/bytes.js';
import { FFEError } from '../src/base/errors.js';
import type { Json } from '../src/base/json.js';
import { sha512 } from '../src/crypto/hash.js';
import { applicationHash, dstackComposeHash, namesApplication } from '../src/tee/application.js';
import { codeHashOf } from '../src/tee/binding.js';
import { collateralFromJson } from '../src/tee/collateral.js';
import {
  checkReplay,
  parseCcel,
  parseDstackLog,
  parseEventLog,
  replay,
  type EventLog,
} from '../src/tee/event-log.js';
import { evidenceFromJson, type Evidence } from '../src/tee/evidence.js';
import { parseQuote, type TdReport } from '../src/tee/quote.js';
import { developmentRoot, firstFailed, verifyQuote } from '../src/tee/verify.js';
import { samplesFolder } from './support/samples.js';
import { failure, vectorCases, vectorFile, type Case } from './support/vectors.js';

const zeros = (): Uint8Array => new Uint8Array(48);
const logOf = (c: Case): EventLog => ({ format: c.format, bytes: fromHex(c.log) });
const reportOf = (c: Case): TdReport =>
  ({ rtmrs: [zeros(), zeros(), zeros(), fromHex(c.rtmr3)] }) as TdReport;
const cases = vectorCases('tee/application.json');
const named = (name: string): Case => cases.find((c) => c.name.startsWith(name)) as Case;

describe('vectors', () => {
  for (const c of cases) {
    test(c.name, async () => {
      const events = parseEventLog(logOf(c));
      checkReplay(events, reportOf(c));
      expect(namesApplication(events)).toBe(true);
      if (c.appHash !== null) {
        expect(applicationHash(events)).toBe(c.appHash);
        return;
      }
      const error = await failure(() => applicationHash(events));
      expect(error.code).toBe('attestation');
      expect(error.hint).not.toBe('');
    });
  }
  for (const c of vectorCases('tee/binding.json')) {
    test(`code hash ${c.codeHash}`, () => {
      expect(codeHashOf(c.platformHash, c.appHash)).toBe(c.codeHash);
    });
  }
});

describe('altered logs', () => {
  for (const name of ['Tapp: a start', 'dstack']) {
    test(`${name}: a changed byte changes nothing or is refused`, async () => {
      const c = named(name);
      const good = fromHex(c.log);
      await fc.assert(
        fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
          const bytes = good.slice();
          bytes[at] = (bytes[at] as number) ^ mask;
          try {
            const events = parseEventLog({ format: c.format, bytes });
            checkReplay(events, reportOf(c));
            // Only what no digest covers may differ: the application is still the same.
            expect(applicationHash(events)).toBe(c.appHash);
          } catch (error) {
            if (!(error instanceof FFEError)) throw error;
          }
        }),
        { numRuns: 2000 },
      );
    });
  }
  test('a truncated log', () => {
    const c = named('Tapp: a start');
    const good = fromHex(c.log).subarray(0, -8);
    for (let size = 0; size < good.length; ++size) {
      expect(() => checkReplay(parseCcel(good.subarray(0, size)), reportOf(c))).toThrow(FFEError);
    }
  });
  test('garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom('ccel', 'dstack'), (b, f) => {
        try {
          parseEventLog({ format: f as EventLog['format'], bytes: b });
        } catch (error) {
          if (!(error instanceof FFEError)) throw error;
        }
      }),
    );
  });
  test('a runtime event elsewhere than in RTMR3, an unknown register', async () => {
    const [entry] = JSON.parse(new TextDecoder().decode(fromHex(named('dstack').log))) as object[];
    for (const [change, words] of [
      [{ imr: 2 }, 'a runtime event is not in RTMR3'],
      [{ imr: 4 }, 'imr is above 3'],
      [{ event: 5 }, 'event is not a string'],
    ] as const) {
      const error = await failure(() => parseDstackLog(JSON.stringify([{ ...entry, ...change }])));
      expect([error.code, error.message]).toEqual(['bad_input', expect.stringContaining(words)]);
    }
  });
});

describe('evidence', () => {
  test('its JSON', async () => {
    const json = { quote: '0x0400', eventLog: 'AQI=', eventLogFormat: 'ccel', runtimeData: 'Aw==' };
    expect(evidenceFromJson(json)).toEqual({
      quote: Uint8Array.of(4, 0),
      eventLog: { format: 'ccel', bytes: Uint8Array.of(1, 2) },
      runtimeData: Uint8Array.of(3),
    });
    expect(evidenceFromJson({ quote: '00' })).toEqual({ quote: Uint8Array.of(0) });
    for (const change of [
      { eventLogFormat: 'tcg' },
      { eventLog: 'AQI' },
      { eventLog: 'AQJ=' },
      { runtimeData: 7 },
      { quote: '0xzz' },
    ]) {
      expect((await failure(() => evidenceFromJson({ ...json, ...change }))).code).toBe(
        'bad_input',
      );
    }
  });

  const vectors = vectorFile('tee/development.json');
  const judged = async (beside: Omit<Evidence, 'quote'>): Promise<string> => {
    const v = await verifyQuote(
      { quote: fromHex((vectors.cases as Case[])[0].quote), ...beside },
      collateralFromJson(vectors.collateral as Json),
      developmentRoot(fromHex(vectors.root)),
      vectors.time as number,
      { allowDevelopment: true },
    );
    expect(v.accepted).toBe(firstFailed(v) === undefined);
    return firstFailed(v)?.name ?? '';
  };
  test('runtime data and a log of another machine are refused', async () => {
    expect(await judged({})).toBe('');
    expect(await judged({ runtimeData: utf8('not it') })).toBe('evidence.runtime_data');
    expect(await judged({ eventLog: logOf(named('dstack')) })).toBe('evidence.event_log');
    expect(sha512(new Uint8Array())[0]).toBe(0xcf);
  });
});

describe.skipIf(!existsSync(`${samplesFolder}/tee`))('recorded logs', () => {
  const read = (name: string): Uint8Array =>
    new Uint8Array(readFileSync(`${samplesFolder}/tee/${name}`));
  test('a CCEL table of a cloud machine', () => {
    const { td } = parseQuote(read('go-tdx-guest/ccel/cos-113-tdx-quote.dat'));
    const events = parseCcel(read('go-tdx-guest/ccel/ccel_data.dat'));
    checkReplay(events, td);
    expect(namesApplication(events)).toBe(false);
    expect(replay(events.slice(1)).map(toHex)).not.toEqual(td.rtmrs.map(toHex));
  });
  for (const name of ['dstack/quote-report.json', 'dstack/tdx-lite-getquote.json']) {
    test(name, async () => {
      const json = JSON.parse(new TextDecoder().decode(read(name))) as Record<string, string>;
      const { td } = parseQuote(fromHex(json.quote as string));
      const events = parseDstackLog(json.event_log as string);
      checkReplay(events, td);
      const error = await failure(() => checkReplay(events.slice(0, -1), td));
      expect(error.message).toContain('event log: replay gives RTMR');
      if (name.includes('lite')) {
        const hash: Hex = dstackComposeHash(events);
        expect(hash.slice(0, 26)).toBe('0x86b0e55f2fa8e4fb69d890f1');
      }
    });
  }
});
