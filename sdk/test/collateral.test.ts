// Collateral from a provisioning service, and the memory of the newest that was accepted.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromHex } from '../src/base/bytes.js';
import type { Json } from '../src/base/json.js';
import { fileGuard } from '../src/node/rollback.js';
import { fetchCollateral, type CollateralSource } from '../src/tee/collateral-source.js';
import { collateralFromJson } from '../src/tee/collateral.js';
import { parseQuote } from '../src/tee/quote.js';
import { browserGuard, rollbackGuard, type RollbackGuard } from '../src/tee/rollback.js';
import { developmentRoot, firstFailed, verifyQuote } from '../src/tee/verify.js';
import { failure, vectorFile, type Case } from './support/vectors.js';

const vectors = vectorFile('tee/development.json');
const bundle = vectors.collateral as Record<string, string>;
const collateral = collateralFromJson(bundle as Json);
const blob = fromHex((vectors.cases as Case[])[0].quote);
const quote = parseQuote(blob);

type Answer = [status: number, body: string | Uint8Array, headers?: Record<string, string>];

describe('a provisioning service', () => {
  let server: Server;
  let source: CollateralSource;
  let asked: string[] = [];
  let change: Record<string, Answer> = {};
  const pem = (key: string): string => encodeURIComponent(bundle[key] as string);
  const document = (member: string, text: string, signature: string): string =>
    `{"${member}":${bundle[text]},"signature":"${bundle[signature]}"}`;
  const answers: Record<string, Answer> = {
    pckcrl: [
      200,
      fromHex(bundle.pck_crl as string),
      { 'SGX-PCK-CRL-Issuer-Chain': pem('tcb_info_issuer_chain') },
    ],
    tcb: [
      200,
      document('tcbInfo', 'tcb_info', 'tcb_info_signature'),
      { 'TCB-Info-Issuer-Chain': pem('tcb_info_issuer_chain') },
    ],
    identity: [
      200,
      `${document('enclaveIdentity', 'qe_identity', 'qe_identity_signature')}\n`,
      { 'SGX-Enclave-Identity-Issuer-Chain': pem('qe_identity_issuer_chain') },
    ],
    rootcacrl: [200, `${bundle.root_ca_crl}\n`],
  };

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      const name = /(\w+)(\?|$)/.exec(request.url ?? '')?.[1] ?? '';
      const [status, body, headers] = change[name] ?? answers[name] ?? [404, ''];
      response.writeHead(status, headers).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    source = { url, rootCrlUrl: `${url}/sgx/certification/v4/rootcacrl` };
  });
  afterAll(() => void server.close());

  test('is asked for the machine of the quote', async () => {
    asked = [];
    expect(await fetchCollateral(quote, undefined, source)).toEqual(collateral);
    expect(asked.sort()).toEqual([
      '/sgx/certification/v4/pckcrl?ca=platform&encoding=der',
      '/sgx/certification/v4/rootcacrl',
      '/tdx/certification/v4/qe/identity',
      '/tdx/certification/v4/tcb?fmspc=00de50000000',
    ]);
  });

  const refused = async (answer: Record<string, Answer>): Promise<string> => {
    change = answer;
    try {
      const error = await failure(() => fetchCollateral(quote, undefined, source));
      expect(error.hint).not.toBe('');
      return `${error.code}: ${error.message}`;
    } finally {
      change = {};
    }
  };
  test('an unknown machine, a broken service', async () => {
    expect(await refused({ tcb: [404, ''] })).toMatch(/^network: .*answers HTTP 404$/);
    expect(await refused({ identity: [500, ''] })).toMatch(/^network: .*answers HTTP 500$/);
    const [status, body] = answers.tcb as Answer;
    expect(await refused({ tcb: [status, body] })).toContain('has no header tcb-info-issuer-chain');
    const chain = (answers.tcb as Answer)[2];
    expect(await refused({ tcb: [200, '{}', chain as never] })).toMatch(/^bad_input: tcbInfo: /);
  });
  test('stops when told; says who does not answer', async () => {
    const stopped = await failure(() => fetchCollateral(quote, AbortSignal.abort(), source));
    expect(stopped.code).toBe('interrupted');
    const nowhere = { ...source, rootCrlUrl: 'http://127.0.0.1:1/' };
    const error = await failure(() => fetchCollateral(quote, undefined, nowhere));
    expect([error.code, error.message]).toEqual(['network', 'http://127.0.0.1:1/ does not answer']);
  });
  test('a quote without its certificates', async () => {
    const bare = { ...quote, pckChain: '' };
    expect((await failure(() => fetchCollateral(bare, undefined, source))).code).toBe('bad_input');
  });
});

describe('older collateral', () => {
  const root = developmentRoot(fromHex(vectors.root));
  const judged = async (guard: RollbackGuard): Promise<string> => {
    const policy = { allowDevelopment: true };
    const v = await verifyQuote(blob, collateral, root, vectors.time as number, policy, guard);
    return firstFailed(v)?.name ?? `accepted ${v.tcbEvaluationNumber}`;
  };
  const held = (guardedText?: string) => {
    let text = guardedText;
    const guard = rollbackGuard({
      name: 'memory',
      read: async () => text,
      write: async (written) => void (text = written),
    });
    return { guard, text: () => JSON.parse(text ?? '{}') as Record<string, number> };
  };

  test('what was accepted is remembered; what is older is refused', async () => {
    const memory = held();
    const verdict = await judged(memory.guard);
    const [[platform, number] = ['', 0]] = Object.entries(memory.text());
    expect(verdict).toBe(`accepted ${number}`);
    expect(platform).toMatch(/^development-[0-9a-f]{16}\/00de50000000$/);
    expect(await judged(memory.guard)).toBe(verdict);
    const newer = held(JSON.stringify({ [platform]: number + 1 }));
    expect(await judged(newer.guard)).toBe('collateral.not_rolled_back');
    expect(newer.text()).toEqual({ [platform]: number + 1 });
    await newer.guard.record(platform, number);
    expect(await newer.guard.highest(platform)).toBe(number + 1);
  });

  test('a memory that is not its own', async () => {
    for (const text of ['[]', '{"intel/00": "1"}', '{"intel/00": -1}', '{', '{"a":1,"a":2}']) {
      const error = await failure(() => held(text).guard.highest('intel/00'));
      expect([error.code, error.message]).toEqual([
        'corrupt',
        'memory: not a list of evaluation numbers',
      ]);
    }
  });

  test("in Node it is the C++ client's file", async () => {
    const home = mkdtempSync(join(tmpdir(), 'ffe-guard-'));
    const before = process.env.XDG_DATA_HOME;
    process.env.XDG_DATA_HOME = home;
    try {
      expect(await fileGuard.highest('intel/00')).toBe(0);
      await fileGuard.record('intel/00', 17);
      await fileGuard.record('intel/01', 2);
      const file = join(home, 'ffe/attestation.json');
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ 'intel/00': 17, 'intel/01': 2 });
      expect(statSync(file).mode & 0o777).toBe(0o600);
      writeFileSync(file, 'x');
      const error = await failure(() => fileGuard.highest('intel/00'));
      expect(error.message).toBe(`${file}: not a list of evaluation numbers`);
    } finally {
      process.env.XDG_DATA_HOME = before;
      if (before === undefined) delete process.env.XDG_DATA_HOME;
      rmSync(home, { recursive: true });
    }
  });

  test('in a page without storage it lasts as long as the page', async () => {
    await browserGuard.record('intel/02', 3);
    expect(await browserGuard.highest('intel/02')).toBe(3);
  });
});
