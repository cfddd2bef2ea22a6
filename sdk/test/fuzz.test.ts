// Hostile input: parsers answer with an FFEError or with something that reads back the same.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toAddress, toHex, utf8, type Hex } from '../src/base/bytes.js';
import { FFEError } from '../src/base/errors.js';
import { canonicalJson, parseJson, parseStrict, type Json } from '../src/base/json.js';
import { eciesOpen, eciesSeal, sharedSecretOf } from '../src/crypto/ecies.js';
import { sha256 } from '../src/crypto/hash.js';
import { x25519KeyPair } from '../src/crypto/hpke.js';
import { openArtifact, sealArtifact } from '../src/session/artifact.js';
import { blobSize, memorySource, openBlob, padme, sealBlob } from '../src/session/blob.js';
import { certificateFromJson, certificateToJson } from '../src/session/certificates.js';
import { checkOwnerKey, openKeyX25519, sealKey } from '../src/session/owner-key.js';
import {
  defaultRecipe,
  manifestText,
  parseManifest,
  parseRecipe,
  recipeText,
} from '../src/session/recipe.js';
import { keyRequestFromJson } from '../src/session/key-request.js';
import { parseDstackLog } from '../src/tee/event-log.js';
import { evidenceFromJson } from '../src/tee/evidence.js';
import { parseGateReport, parseTrainingReport } from '../src/session/reports.js';
import { readTar, writeTar } from '../src/session/tar.js';
import { termsFromJson, termsToJson } from '../src/session/terms.js';
import { recover } from '../src/session/typed-data.js';
import { collateralFromJson } from '../src/tee/collateral.js';
import { parseQeIdentity, parseTcbInfo } from '../src/tee/tcb.js';
import { Certificate, RevocationList } from '../src/tee/x509.js';
import { failure, pattern, vectorCases, vectorFile, type Case } from './support/vectors.js';
import { Wallet } from 'ethers';

/** Nothing but an FFEError may escape. */
async function contained<T>(call: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    expect(error).toBeInstanceOf(FFEError);
    return undefined;
  }
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });

// One value of a JSON document replaced by another.
function mutated(json: Json): fc.Arbitrary<Json> {
  const paths: (string | number)[][] = [];
  const walk = (value: Json, path: (string | number)[]): void => {
    paths.push(path);
    if (Array.isArray(value)) value.slice(0, 3).forEach((item, i) => walk(item, [...path, i]));
    else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) walk(item, [...path, key]);
    }
  };
  walk(json, []);
  const junk = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constant('0x'), fc.integer());
  return fc.tuple(fc.constantFrom(...paths), junk).map(([path, value]) => {
    const copy = structuredClone(json) as Json;
    if (path.length === 0) return value as Json;
    const parent = path
      .slice(0, -1)
      .reduce((at: Json, key) => (at as Record<string, Json>)[key] as Json, copy);
    (parent as Record<string, Json>)[path[path.length - 1] as string] = value as Json;
    return copy;
  });
}

describe('JSON', () => {
  test('agrees with JSON.parse on what has no duplicates', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(JSON.stringify(parseStrict(text, 64))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });
  test('refuses what JSON.parse refuses', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.string({ maxLength: 2 }), (text, at, junk) => {
        const cut = at % (text.length + 1);
        const damaged = text.slice(0, cut) + junk + text.slice(cut + 1);
        let legal = true;
        try {
          JSON.parse(damaged);
        } catch {
          legal = false;
        }
        if (!legal) expect(() => parseStrict(damaged, 64)).toThrow();
      }),
    );
  });
  test('duplicates, depth, numbers', async () => {
    expect(() => parseStrict('{"a":1,"a":2}')).toThrow('twice');
    expect(() => parseStrict('{"a":1,"\\u0061":2}')).toThrow('twice');
    expect(() => parseStrict('[[[]]]', 2)).toThrow('deeper');
    expect(() => parseStrict('1e999')).toThrow('out of range');
    expect((await failure(() => parseJson('{"__proto__":', 'x'))).code).toBe('bad_input');
    expect(parseStrict('{"__proto__":1}')).toEqual({ ['__proto__']: 1 });
  });
  test('canonical text is a fixed point', () => {
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.maxSafeInteger(),
        fc.array(tie('node'), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie('node'), { maxKeys: 4 }),
      ),
    })).node as fc.Arbitrary<Json>;
    fc.assert(
      fc.property(value, (json) => {
        const text = canonicalJson(json);
        expect(canonicalJson(parseStrict(text, 64))).toBe(text);
      }),
    );
  });
});

describe('documents', () => {
  const typed = vectorCases('session/typed-data.json').filter((c: Case) =>
    /Certificate$/.test(c.type),
  );
  const signed = typed.map((c: Case) => ({
    format: 'ffe.certificate.v1',
    kind: c.type.replace('Certificate', '').toLowerCase(),
    chainId: c.chainId,
    coordinator: c.coordinator,
    sessionId: '7',
    certificate: c.message,
    signature: c.signature,
  })) as Json[];
  const terms = vectorCases('session/terms.json').map((c: Case) => c.terms as Json);
  const { collateral } = vectorFile('tee/development.json');
  const dstack = vectorCases('tee/application.json').find((c) => c.format === 'dstack') as Case;
  const dstackLog = new TextDecoder().decode(fromHex(dstack.log));

  test('certificates read back', () => {
    for (const json of signed) expect(certificateToJson(certificateFromJson(json))).toEqual(json);
  });

  const parsers: [string, Json, (json: Json) => unknown][] = [
    ...signed.map((json, i): [string, Json, (json: Json) => unknown] => [
      `certificate ${i}`,
      json,
      (j) => expect(certificateToJson(certificateFromJson(j))).toEqual(j),
    ]),
    ['terms', terms[0] as Json, (j) => expect(termsToJson(termsFromJson(j))).toEqual(j)],
    ['collateral', collateral as Json, collateralFromJson],
    ['TCB info', parseStrict(collateral.tcb_info), (j) => parseTcbInfo(JSON.stringify(j))],
    ['QE identity', parseStrict(collateral.qe_identity), (j) => parseQeIdentity(JSON.stringify(j))],
    [
      'recipe',
      parseStrict(recipeText({ ...defaultRecipe })),
      (j) => {
        const text = canonicalJson(j);
        expect(recipeText(parseRecipe(text))).toBe(text);
      },
    ],
    [
      'manifest',
      {
        format: 'ffe.model.v1',
        name: 'm',
        files: [{ path: 'a/b', sha256: `0x${'11'.repeat(32)}`, size: 5 }],
      },
      (j) => {
        const text = canonicalJson(j);
        expect(manifestText(parseManifest(text))).toBe(text);
      },
    ],
    [
      'key request',
      {
        tokenId: '1001',
        receiver: `0x${'22'.repeat(20)}`,
        key: `0x${'33'.repeat(32)}`,
        deadline: 2_000_000_000,
        salt: `0x${'44'.repeat(32)}`,
        signature: `0x${'55'.repeat(65)}`,
      },
      (j) => expect(keyRequestFromJson(j)).toEqual(j),
    ],
    [
      'evidence',
      { quote: '0x0400', eventLogFormat: 'ccel', eventLog: 'AQI=', runtimeData: 'Aw==' },
      evidenceFromJson,
    ],
    ['dstack log', parseStrict(dstackLog), (j) => parseDstackLog(JSON.stringify(j))],
  ];
  for (const [name, json, parse] of parsers) {
    test(`${name}: any member replaced`, async () => {
      parse(json);
      await fc.assert(
        fc.asyncProperty(mutated(json), async (changed) => {
          // Addresses in capitals read back in small letters: not a fault.
          await contained(() => {
            try {
              parse(changed);
            } catch (error) {
              if (error instanceof FFEError) throw error;
              if (JSON.stringify(changed).toLowerCase() === JSON.stringify(json).toLowerCase())
                return;
              throw error;
            }
          });
        }),
        { numRuns: 60 },
      );
    });
  }

  test('reports of any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        await contained(() => parseGateReport(text));
        await contained(() => parseTrainingReport(text));
        await contained(() => parseRecipe(text));
      }),
    );
  });

  test('a recipe in another spelling is refused', async () => {
    const text = recipeText({ ...defaultRecipe });
    expect((await failure(() => parseRecipe(` ${text}`))).message).toContain('canonical form');
    expect((await failure(() => recipeText({ ...defaultRecipe, rank: 0 }))).message).toBe(
      'recipe.rank must be from 1 to 256, not 0',
    );
    const targets = ['v', 'q'];
    expect((await failure(() => recipeText({ ...defaultRecipe, targets }))).code).toBe('bad_input');
  });
});

describe('binary formats', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9._-]{0,20}$/);
  test('tar', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, bytes(2000), { maxKeys: 4 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (files, at, mask) => {
          const map = new Map(Object.entries(files));
          const tar = writeTar(map);
          expect(Object.fromEntries(readTar(tar))).toEqual(files);
          tar[at % tar.length] = (tar[at % tar.length] as number) ^ mask;
          const read = await contained(() => readTar(tar));
          // What is read at all writes the same bytes again.
          if (read !== undefined) expect(writeTar(read)).toEqual(tar);
        },
      ),
    );
    await fc.assert(
      fc.asyncProperty(bytes(3000), (b) => contained(() => readTar(b)).then(() => {})),
    );
    expect((await failure(() => writeTar(new Map([['../x', new Uint8Array()]])))).code).toBe(
      'bad_input',
    );
  });

  test('certificates and lists in DER', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(200), async (b) => {
        await contained(() => new Certificate(b).name);
        await contained(() => new RevocationList(b));
      }),
    );
    const der = fromHex(vectorFile('tee/development.json').pck);
    await fc.assert(
      fc.asyncProperty(fc.nat(der.length - 1), fc.nat(255), async (at, value) => {
        const changed = der.slice();
        changed[at] = value;
        await contained(() => new Certificate(changed).name);
      }),
    );
  });

  test('signatures', async () => {
    const digest: Hex = `0x${'11'.repeat(32)}`;
    await fc.assert(
      fc.asyncProperty(bytes(70), async (b) => {
        const who = await contained(() => recover(digest, toHex(b)));
        if (who !== undefined) expect(who).toMatch(/^0x[0-9a-f]{40}$/);
      }),
    );
  });

  test('sealed keys and artifacts', async () => {
    const key = sha256(utf8('K'));
    const pair = x25519KeyPair(sha256(utf8('x')));
    const secret = sha256(utf8('owner'));
    const owner: Hex = `0x${'22'.repeat(20)}`;
    const hash: Hex = `0x${'33'.repeat(32)}`;
    const publicKey = fromHex(new Wallet(toHex(secret)).signingKey.publicKey);
    const sealed = [
      await sealKey(key, pair.publicKey, hash, owner),
      eciesSeal(publicKey, key),
      sealArtifact({ key, nonce: new Uint8Array(12) }, pattern(100)),
    ] as const;
    const open = [
      (b: Uint8Array) => openKeyX25519(b, pair, hash, owner),
      (b: Uint8Array) => eciesOpen(sharedSecretOf(secret), b),
      (b: Uint8Array) => openArtifact(key, b),
    ] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, 1, 2),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (which, at, mask, cut) => {
          const good = sealed[which] as Uint8Array;
          const changed = good.slice(0, cut ? at % good.length : good.length);
          if (!cut) changed[at % good.length] = (changed[at % good.length] as number) ^ mask;
          const error = await failure(() => (open[which] as (b: Uint8Array) => unknown)(changed));
          expect(error.code).toBe('corrupt');
        },
      ),
      { numRuns: 60 },
    );
    const other: Hex = `0x${'23'.repeat(20)}`;
    expect((await failure(() => openKeyX25519(sealed[0], pair, hash, other))).code).toBe('corrupt');
  });

  test('owner keys', async () => {
    const owner: Hex = `0x${'22'.repeat(20)}`;
    for (const key of [new Uint8Array(32), new Uint8Array(33), new Uint8Array(65)]) {
      expect((await failure(() => checkOwnerKey(key, owner))).code).toBe('key');
    }
    const foreign = fromHex(new Wallet(`0x${'01'.repeat(32)}`).signingKey.publicKey);
    expect((await failure(() => checkOwnerKey(foreign, owner))).message).toContain(
      'another account',
    );
  });
});

describe('blobs', () => {
  const wallet = new Wallet(`0x${'42'.repeat(32)}`);
  const sign = async (m: { domain: object; types: object; message: object }): Promise<Hex> =>
    (await wallet.signTypedData(m.domain, m.types as never, m.message)) as Hex;
  const session = x25519KeyPair(sha256(utf8('session')));
  const context = {
    role: 1,
    domain: { chainId: 31337, coordinator: toAddress(`0x${'55'.repeat(20)}`) },
    binding: `0x${'66'.repeat(32)}`,
    contributor: toAddress(wallet.address),
    enclaveId: `0x${'77'.repeat(32)}`,
    ownerKeyHash: `0x${'88'.repeat(32)}`,
  } as const;
  const seal = async (data: Uint8Array): Promise<Uint8Array> => {
    const parts: Uint8Array[] = [];
    const out = (b: Uint8Array): void => void parts.push(b);
    await sealBlob(memorySource(data), toHex(session.publicKey), context, sign, out);
    return concat(...parts);
  };
  const open = async (blob: Uint8Array, change: object = {}): Promise<Uint8Array> => {
    const parts: Uint8Array[] = [];
    await openBlob(
      memorySource(blob),
      session,
      { ...context, ...change },
      (b) => void parts.push(b.slice()),
    );
    return concat(...parts);
  };

  test('padded sizes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 2 ** 32 }), (length) => {
        const padded = padme(length);
        expect(padded).toBeGreaterThanOrEqual(length);
        expect(padded).toBeLessThanOrEqual(length * 1.12 + 8);
        expect(padme(padded)).toBe(padded);
      }),
    );
  });

  test('any data come back, in any pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(200_000),
        fc.integer({ min: 1, max: 100_000 }),
        async (length, piece) => {
          const data = pattern(length);
          const source = {
            async *stream() {
              for (let at = 0; at < data.length; at += piece) yield data.subarray(at, at + piece);
            },
          };
          const parts: Uint8Array[] = [];
          await sealBlob(
            source,
            toHex(session.publicKey),
            context,
            sign,
            (b) => void parts.push(b),
          );
          const blob = concat(...parts);
          expect(blob.length).toBe(blobSize(length));
          expect(await open(blob)).toEqual(data);
        },
      ),
      { numRuns: 15 },
    );
  });

  test('any change is seen', async () => {
    const blob = await seal(pattern(1000));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(blob.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, mask) => {
          const changed = blob.slice();
          changed[at] = (changed[at] as number) ^ mask;
          const error = await failure(() => open(changed));
          // A longer body is not there; everything else is invalid.
          expect(['invalid', 'not_available']).toContain(error.reason);
          if (error.reason === 'not_available') expect(at).toBeLessThan(16);
        },
      ),
      { numRuns: 60 },
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(blob.length - 1), async (size) => {
        const error = await failure(() => open(blob.subarray(0, size)));
        expect(error.reason).toBe('not_available');
        expect(error.code).toBe('network');
      }),
      { numRuns: 40 },
    );
    expect((await failure(() => open(concat(blob, Uint8Array.of(0, 1))))).reason).toBe('invalid');
  });

  test('another session, enclave, contributor or owner key', async () => {
    const blob = await seal(pattern(10));
    const zero = `0x${'00'.repeat(32)}`;
    for (const change of [
      { binding: zero },
      { enclaveId: zero },
      { contributor: `0x${'11'.repeat(20)}` },
    ]) {
      expect((await failure(() => open(blob, change))).reason).toBe('invalid');
    }
    expect((await failure(() => open(blob, { ownerKeyHash: zero }))).reason).toBe('bad_signature');
    const coordinator = `0x${'00'.repeat(20)}`;
    const domain = { chainId: 31337, coordinator };
    expect((await failure(() => open(blob, { domain }))).reason).toBe('bad_signature');
  });

  test('data that change between the passes', async () => {
    let pass = 0;
    const source = {
      async *stream() {
        yield Uint8Array.of(++pass);
      },
    };
    const error = await failure(() =>
      sealBlob(source, toHex(session.publicKey), context, sign, () => {}),
    );
    expect(error.code).toBe('io');
  });

  test('a session key of low order, a foreign signature', async () => {
    const source = memorySource(pattern(5));
    const zero: Hex = `0x${'00'.repeat(32)}`;
    expect((await failure(() => sealBlob(source, zero, context, sign, () => {}))).code).toBe('key');
    const other = { ...context, contributor: toAddress(`0x${'11'.repeat(20)}`) };
    const error = await failure(() =>
      sealBlob(source, toHex(session.publicKey), other, sign, () => {}),
    );
    expect(error.code).toBe('key');
  });
});
