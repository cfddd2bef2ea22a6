// Quotes with verdicts: the project's vectors, the recorded quotes of other projects where they are
// at hand, and @phala/dcap-qvl as a second opinion.
import { existsSync, readFileSync } from 'node:fs';
import { QuoteVerifier } from '@phala/dcap-qvl';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex, type Hex } from '../src/base/bytes.js';
import { parseJson, type Json } from '../src/base/json.js';
import { enclaveId } from '../src/session/terms.js';
import { keccak256 } from '../src/crypto/hash.js';
import {
  enclaveExt,
  parseEnclaveExt,
  parseTappRuntimeData,
  reportDataOf,
} from '../src/tee/binding.js';
import { collateralFromJson } from '../src/tee/collateral.js';
import { evidenceFromJson, type Evidence } from '../src/tee/evidence.js';
import type { Policy } from '../src/tee/policy.js';
import { completeQuote, cutQuote, parseQuote, sameQuote, workloadId } from '../src/tee/quote.js';
import {
  developmentRoot,
  firstFailed,
  intelRoot,
  requireVerified,
  verifyQuote,
  type TrustAnchor,
  type Verification,
} from '../src/tee/verify.js';
import { samplesFolder } from './support/samples.js';
import { failure, vectorCases, vectorFile, type Case } from './support/vectors.js';

const vectors = vectorFile('tee/development.json');
const root = developmentRoot(fromHex(vectors.root));
const collateral = collateralFromJson(vectors.collateral as Json);
const time = vectors.time as number;
const development: Policy = { allowDevelopment: true };

const failed = (v: Verification): string => firstFailed(v)?.name ?? '';
// Buffers, as the library wants them.
const secondOpinion = (quote: Uint8Array, bundle: unknown, rootDer: Uint8Array, now: number) =>
  QuoteVerifier.newWithRootCa(Buffer.from(rootDer)).verify(Buffer.from(quote), bundle as never, now)
    .status;
function peerAccepts(
  quote: Uint8Array,
  bundle: unknown,
  rootDer: Uint8Array,
  now: number,
): boolean {
  try {
    secondOpinion(quote, bundle, rootDer, now);
    return true;
  } catch {
    return false;
  }
}

describe('development vectors', () => {
  for (const c of vectors.cases as Case[]) {
    test(c.name, async () => {
      const quote = fromHex(c.quote);
      const v = await verifyQuote(quote, collateral, root, time, development);
      expect(failed(v)).toBe(c.failedCheck);
      expect(v.accepted).toBe(c.accepted);
      expect(v.simulated).toBe(true);
      expect(v.tcbStatus).toBe(c.tcbStatus);
      expect(v.advisories).toEqual(c.advisories);
      expect(workloadId(parseQuote(quote).td)).toBe(c.workloadId);
      expect(toHex(parseQuote(quote).td.reportData)).toBe(vectors.reportData);
      // The peer knows no TDX module identities: it refuses the outdated one for another reason.
      const accepts = peerAccepts(quote, vectors.collateral, fromHex(vectors.root), time);
      expect(accepts).toBe(c.accepted);
    });
  }

  test('a registration', async () => {
    const item = vectors.register;
    const quote = fromHex(item.quote);
    const v = await verifyQuote(quote, collateral, root, time, development);
    expect(failed(v)).toBe('');
    const bytes = fromHex(item.ext);
    const ext = parseEnclaveExt(bytes);
    expect(ext.chainId).toBe(item.chainId);
    expect(ext.blockNumber).toBe(item.blockNumber);
    expect(ext.registry).toBe(item.registry.toLowerCase());
    expect(ext.nonce).toBe(item.nonce);
    expect(ext.signer).toBe(item.signer.toLowerCase());
    const td = parseQuote(quote).td;
    expect(td.reportData).toEqual(reportDataOf(ext.signer, bytes));
    expect(enclaveId(ext.signer, workloadId(td))).toBe(item.enclaveId);
  });

  test('a registration of 0G Tapp: the service hashes a text, the log names the code', async () => {
    const file = vectorFile('tee/tapp.json');
    const item = file.tapp;
    const ext = fromHex(item.ext);
    const evidence = evidenceFromJson(item);
    const anchor = developmentRoot(fromHex(file.root));
    const bundle = collateralFromJson(file.collateral);
    const judged = async (e: Evidence): Promise<Verification> =>
      verifyQuote(e, bundle, anchor, file.time, development);
    const v = await judged(evidence);
    expect(failed(v)).toBe('');
    expect(v.codeHash).toBe(item.codeHash);
    const { signer, appHash } = parseEnclaveExt(ext);
    expect(appHash).toBe(item.appHash);
    const says = parseTappRuntimeData(evidence.runtimeData as Uint8Array);
    expect(says).toEqual({ nonce: toHex(keccak256(ext)), signer });
    expect(enclaveId(signer, v.codeHash as Hex)).toBe(item.enclaveId);
    const respaced = new TextEncoder().encode(item.runtimeText.replace('{', '{ '));
    expect(failed(await judged({ ...evidence, runtimeData: respaced }))).toBe(
      'evidence.runtime_data',
    );
  });

  test('a cut quote is completed by the same key only', async () => {
    const whole = fromHex((vectors.cases as Case[])[0].quote);
    const fresh = fromHex(vectors.register.quote);
    const cut = cutQuote(fresh);
    expect(sameQuote(cut, fresh)).toBe(true);
    expect(sameQuote(cut, whole)).toBe(false);
    const completed = completeQuote(cut, whole);
    expect(failed(await verifyQuote(completed, collateral, root, time, development))).toBe('');
    expect(parseQuote(completed).td.reportData).toEqual(parseQuote(fresh).td.reportData);
    const foreign = Uint8Array.from(cut);
    foreign.set([(cut.at(-1) as number) ^ 1], cut.length - 1);
    expect((await failure(() => completeQuote(foreign, whole))).code).toBe('bad_input');
    expect((await failure(() => cutQuote(cut.subarray(0, -1)))).code).toBe('bad_input');
  });

  for (const c of vectorCases('tee/binding.json')) {
    test(`binding at block ${c.blockNumber}`, () => {
      const ext = parseEnclaveExt(fromHex(c.ext));
      expect(ext.appHash).toBe(c.appHash);
      expect(toHex(enclaveExt(ext))).toBe(c.ext);
      expect(toHex(reportDataOf(ext.signer, fromHex(c.ext)))).toBe(c.reportData);
    });
  }
});

describe('refusals', () => {
  const good = fromHex((vectors.cases as Case[])[0].quote);
  const refused = async (
    change: Record<string, unknown>,
    quote = good,
    anchor: TrustAnchor = root,
    policy: Policy = development,
    now = time,
  ): Promise<string> => {
    const bundle = collateralFromJson({ ...vectors.collateral, ...change } as Json);
    return failed(await verifyQuote(quote, bundle, anchor, now, policy));
  };

  test('a development root needs permission', async () => {
    expect(await refused({}, good, root, {})).toBe('anchor.permitted');
    const v = await verifyQuote(good, collateral, root, time, {});
    const error = await failure(() => requireVerified(v));
    expect(error.code).toBe('attestation');
    expect(error.reason).toBe('anchor.permitted');
    expect(error.hint).toContain('simulated enclaves protect nothing');
  });
  test("a simulator's quote below Intel's root", async () => {
    expect(await refused({}, good, intelRoot)).toBe('pck_chain.root');
  });
  test('expired certificates and collateral', async () => {
    const { collateralExpires } = await verifyQuote(good, collateral, root, time, development);
    expect(await refused({}, good, root, development, collateralExpires)).toBe('');
    expect(await refused({}, good, root, development, collateralExpires + 1)).toBe('crl.root');
    expect(await refused({}, good, root, development, 0)).toBe('pck_chain.root');
    expect(await refused({}, good, root, development, time + 40 * 366 * 86400)).toBe(
      'pck_chain.root',
    );
  });
  test('a revocation list by nobody', async () => {
    // The signature's last byte. The peer does not look at signatures of lists at all, and in
    // browsers not at the dates of certificates: the reason why it is only the second opinion here.
    const list = vectors.collateral.pck_crl as string;
    const forged = list.slice(0, -2) + (list.endsWith('00') ? '01' : '00');
    expect(await refused({ pck_crl: forged })).toBe('crl.pck');
    const bundle = { ...vectors.collateral, pck_crl: forged };
    expect(peerAccepts(good, bundle, fromHex(vectors.root), time)).toBe(true);
  });
  test('lists exchanged', async () => {
    const { pck_crl, root_ca_crl } = vectors.collateral;
    expect(await refused({ pck_crl: root_ca_crl, root_ca_crl: pck_crl })).toBe('crl.root');
  });
  test('altered documents', async () => {
    const tcb = (vectors.collateral.tcb_info as string).replace('"version":3', '"version": 3');
    expect(await refused({ tcb_info: tcb })).toBe('tcb_info.signature');
    expect(await refused({ qe_identity: vectors.collateral.tcb_info })).toBe(
      'qe_identity.signature',
    );
  });
  test('policies', async () => {
    const judged = (policy: Policy) => refused({}, good, root, { ...development, ...policy });
    expect(await judged({ fmspcs: ['000000000000'] })).toBe('policy.fmspc');
    expect(await judged({ fmspcs: ['00de50000000'] })).toBe('');
    expect(await judged({ platformIds: ['00'] })).toBe('policy.platform');
    expect(await judged({ workloadIds: [`0x${'00'.repeat(32)}`] })).toBe('policy.measurement');
    expect(await judged({ workloadIds: [(vectors.cases as Case[])[0].workloadId as Hex] })).toBe(
      '',
    );
    expect(await judged({ reportData: `0x${'00'.repeat(64)}` })).toBe('policy.report_data');
    expect(await judged({ reportData: vectors.reportData as Hex })).toBe('');
    expect(await judged({ minimumEvaluationNumber: 1000 })).toBe('collateral.not_rolled_back');
    expect(await judged({ tcbStatuses: [] })).toBe('policy.tcb_status');
  });

  test('no single altered byte passes', async () => {
    const signed = parseQuote(good).size;
    await fc.assert(
      fc.asyncProperty(fc.nat(signed - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const quote = good.slice();
        quote[at] = (quote[at] as number) ^ mask;
        const v = await verifyQuote(quote, collateral, root, time, development);
        // Header bytes that nobody reads are signed; QE authentication data too.
        expect(v.accepted).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  test('garbage ends in a verdict', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), fc.nat(4000), async (bytes, at) => {
        const quote = good.slice();
        quote.set(bytes.subarray(0, Math.max(0, quote.length - at)), Math.min(at, quote.length));
        const v = await verifyQuote(quote, collateral, root, time, development);
        expect(v.checks).toHaveLength(41);
        expect((await verifyQuote(bytes, collateral, root, time, development)).accepted).toBe(
          false,
        );
      }),
      { numRuns: 50 },
    );
  });

  test('damaged lists and chains end in a verdict', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(600), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const list = fromHex(vectors.collateral.pck_crl);
        list[at % list.length] = (list[at % list.length] as number) ^ mask;
        expect(await refused({ pck_crl: toHex(list).slice(2) })).toMatch(/^crl\./);
        const pem = vectors.collateral.tcb_info_issuer_chain as string;
        const cut = at % pem.length;
        const changed = pem.slice(0, cut) + String.fromCharCode(mask & 0x7f) + pem.slice(cut + 1);
        if (changed !== pem) {
          expect(await refused({ tcb_info_issuer_chain: changed })).toBe('tcb_info.issuer');
        }
      }),
      { numRuns: 100 },
    );
  });
});

const haveSamples = existsSync(`${samplesFolder}/tee`);
if (!haveSamples)
  console.warn(`recorded quotes are absent: set FFE_SAMPLES (looked in ${samplesFolder})`);

describe.skipIf(!haveSamples)('recorded quotes', () => {
  const read = (name: string): Uint8Array =>
    new Uint8Array(readFileSync(`${samplesFolder}/tee/${name}`));
  const bundleOf = (name: string): Json =>
    parseJson(new TextDecoder().decode(read(name)), name, { maxLength: 16 << 20 });
  const intelTime = 1751328000;
  const intel = (quote: string, now: number) =>
    verifyQuote(
      read(`dcap-qvl/${quote}`),
      collateralFromJson(bundleOf(`dcap-qvl/${quote}_collateral.json`)),
      intelRoot,
      now,
    );

  test("Intel's machine", async () => {
    const v = await intel('tdx_quote', intelTime);
    expect(failed(v)).toBe('');
    expect(v.simulated).toBe(false);
    expect(v.tcbStatus).toBe('UpToDate');
    expect(v.fmspc).toBe('b0c06f000000');
    expect(v.tcbEvaluationNumber).toBe(17);
    expect(v.advisories).toEqual([]);
    expect(workloadId(v.quote!.td)).toBe(
      '0x43fa25aabb28edc2c45fd335b031dd0dbb0e910abe5a4f8c1ac0c96851b1539e',
    );
    const bundle = bundleOf('dcap-qvl/tdx_quote_collateral.json');
    const rootDer = read('dcap-qvl/IntelSGXRootCA.der');
    expect(secondOpinion(read('dcap-qvl/tdx_quote'), bundle, rootDer, intelTime)).toBe('UpToDate');
  });
  test('expired collateral', async () => {
    expect(failed(await intel('tdx_quote', 1754006400))).toBe('crl.pck');
  });
  test('an outdated machine reaches no level', async () => {
    const v = await intel('tdx_quote_outdated', 1772323200);
    expect(failed(v)).toBe('tcb.level');
    expect(v.quote?.version).toBe(5);
    expect(v.quote?.td.version).toBe('1.5');
  });
  test('simulated machines: revoked, debug, out of date', async () => {
    const bundle = collateralFromJson(bundleOf('simulated/collateral.json'));
    const anchor = developmentRoot(read('simulated/root_ca.der'));
    const judged = async (quote: string, change = {}, policy: Policy = {}) =>
      failed(
        await verifyQuote(read(`simulated/${quote}.bin`), { ...bundle, ...change }, anchor, time, {
          ...development,
          ...policy,
        }),
      );
    for (const name of ['quote_v4', 'quote_v5_td10', 'quote_v5_td15']) {
      expect(await judged(name)).toBe('');
    }
    expect(await judged('quote_v4_debug')).toBe('td.debug');
    expect(await judged('quote_v4_sgx_tcb_unsupported')).toBe('tcb.level');
    const pckCrl = read('simulated/pck_crl_revokes_pck.der');
    expect(await judged('quote_v4', { pckCrl })).toBe('crl.pck_not_revoked');
    const rootCaCrl = read('simulated/root_ca_crl_revokes_inter.der');
    expect(await judged('quote_v4', { rootCaCrl })).toBe('crl.intermediate_not_revoked');
    const old = (policy: Policy) => judged('quote_v4_module_outofdate', {}, policy);
    expect(await old({ tcbStatuses: ['OutOfDate'] })).toBe('policy.tcb_status');
    const tcbStatuses = ['OutOfDate'] as const;
    expect(await old({ tcbStatuses, advisories: ['DEV-SA-00009'] })).toBe('policy.advisories');
    expect(await old({ tcbStatuses, advisories: ['DEV-SA-00001'] })).toBe('');
  });
  test('real quotes parse', () => {
    for (const [name, version, trailing] of [
      ['go-tdx-guest/tdx_prod_quote_SPR_E4.dat', 4, 39],
      ['go-tdx-guest/ccel/cos-113-tdx-quote.dat', 4, 3065],
      ['go-tdx-guest/quote_v5_sample.dat', 5, 0],
    ] as const) {
      const quote = parseQuote(read(name));
      expect([quote.version, quote.trailing]).toEqual([version, trailing]);
    }
  });
  test('SGX is not TDX', async () => {
    const v = await verifyQuote(
      read('dcap-qvl/sgx_quote'),
      collateralFromJson(bundleOf('dcap-qvl/tdx_quote_collateral.json')),
      intelRoot,
      intelTime,
    );
    expect(failed(v)).toBe('quote.format');
  });
});
