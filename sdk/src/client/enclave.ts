// The enclave service's HTTP interface (docs/spec/enclave-api.md) and the verification of an enclave:
// quote, code, release, registry, terms. Nothing that the service says is believed.
import { equalBytes, fromHex, fromUtf8, toHex, zeroHash, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { exchange } from '../base/http.js';
import { Fields, parseJson, type Json } from '../base/json.js';
import type { Registration } from '../chain/sessions.js';
import { keccak256 } from '../crypto/hash.js';
import { enclaveId as enclaveIdOf, type SessionTerms } from '../session/terms.js';
import { enclaveExt, parseEnclaveExt, parseTappRuntimeData, reportDataOf } from '../tee/binding.js';
import type { Check } from '../tee/checklist.js';
import { collateralFromJson, type Collateral } from '../tee/collateral.js';
import { fetchCollateral } from '../tee/collateral-source.js';
import { evidenceFromJson, type Evidence } from '../tee/evidence.js';
import {
  completeQuote,
  cutQuote,
  parseQuote,
  sameQuote,
  workloadId,
  type TdReport,
} from '../tee/quote.js';
import {
  developmentRoot,
  intelRoot,
  requireVerified,
  verifyQuote,
  type Verification,
} from '../tee/verify.js';
import type { Context } from './context.js';
import type { Network } from './network.js';
import { publishedReleases } from './releases.js';

/** One enclave service. */
export class EnclaveService {
  constructor(readonly url: string) {}

  /** @throws FFEError `session` with the service's own words, `network` if it does not answer. */
  async ask(path: string, body?: Json, signal?: AbortSignal, timeout?: number): Promise<Json> {
    const what = this.url + path;
    const response = await exchange(what, {
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      ...(timeout !== undefined && { timeout }),
      hint: 'check enclaveUrls in the network file, and the connection; then call again',
    });
    let answer: Json;
    try {
      answer = parseJson(fromUtf8(response.bytes, what), what);
    } catch (cause) {
      throw new FFEError('network', `${what} does not answer in JSON`, '', { cause });
    }
    if (response.ok) return answer;
    const error = (answer as { error?: { message?: unknown; hint?: unknown } } | null)?.error;
    if (typeof error === 'object') {
      throw new FFEError(
        'session',
        `the enclave refused: ${String(error.message ?? 'no reason')}`,
        String(error.hint ?? ''),
      );
    }
    throw new FFEError('network', `${what} answered with HTTP status ${response.status}`);
  }
}

/** Every link from the quote to the terms; the first that is broken decides. */
export interface EnclaveVerification {
  accepted: boolean;
  quote: Verification;
  /** binding, code, release, registry, and terms where they were given. */
  links: Check[];
  enclaveId: Hex;
  codeHash: Hex;
  signer: Hex;
  /** The platform is a simulator: nothing is protected. */
  simulated: boolean;
}

/** @throws FFEError `attestation` naming the broken link. */
export function requireEnclave(verification: EnclaveVerification): void {
  requireVerified(verification.quote);
  const broken = verification.links.find((link) => link.state === 'failed');
  if (broken !== undefined) {
    throw new FFEError('attestation', `${broken.name}: ${broken.detail}`, broken.advice, {
      reason: broken.name,
    });
  }
}

// The newest quote with certificates: its own or, where it was cut, those of an older quote by the
// same key.
async function wholeQuote(
  { quote }: Registration,
  older: AsyncGenerator<Registration>,
): Promise<Uint8Array> {
  if (cutQuote(quote).length < quote.length) return quote;
  for await (const earlier of older) {
    if (cutQuote(earlier.quote).length === earlier.quote.length) continue;
    try {
      return completeQuote(quote, earlier.quote);
    } catch (error) {
      if (!(error instanceof FFEError)) throw error; // by another key
    }
  }
  throw new FFEError(
    'attestation',
    "nothing on chain vouches for the newest quote's key",
    'ask the operator to register the enclave again, with its certificates',
  );
}

/** The quote with the event log and collateral of the enclave's service; from the chain and from
 * Intel if none answers. @throws FFEError `network` */
async function askOperator(
  { enclaveUrls, developmentRoot: simulator }: Network,
  id: Hex,
  newest: Registration,
  older: AsyncGenerator<Registration>,
  signal?: AbortSignal,
): Promise<{ evidence: Evidence; collateral: Collateral }> {
  const { runtimeData } = newest;
  const known = runtimeData === undefined ? {} : { runtimeData };
  let why = 'no enclave service is configured';
  for (const url of enclaveUrls) {
    try {
      const answer = await new EnclaveService(url).ask('/v1/enclave', undefined, signal);
      const f = new Fields(answer, url);
      if (f.hex('enclaveId', 32) !== id) continue;
      const { quote, eventLog } = evidenceFromJson(answer);
      const collateral = collateralFromJson(f.member('collateral'));
      // A log belongs to one quote. That of another is left out, and the quote stands alone.
      const evidence = sameQuote(quote, newest.quote)
        ? { quote, ...(eventLog !== undefined && { eventLog }), ...known }
        : { quote: await wholeQuote(newest, older), ...known };
      return { evidence, collateral };
    } catch (error) {
      if (!(error instanceof FFEError) || error.code === 'interrupted') throw error;
      why = error.message;
    }
  }
  if (simulator === undefined) {
    const quote = await wholeQuote(newest, older);
    const collateral = await fetchCollateral(parseQuote(quote), signal);
    return { evidence: { quote, ...known }, collateral };
  }
  throw new FFEError(
    'network',
    `no collateral for the enclave's quote: ${why}`,
    'check enclaveUrls in the network file',
  );
}

// Whether the quote is about this signer and this ext. That runtime data is what the quote was made
// over is a check of its own.
function binds({ runtimeData }: Evidence, td: TdReport, signer: Hex, ext: Uint8Array): boolean {
  if (runtimeData === undefined) return equalBytes(reportDataOf(signer, ext), td.reportData);
  const says = parseTappRuntimeData(runtimeData);
  return says.signer === signer && says.nonce === toHex(keccak256(ext));
}

// Which release this code is, as a sentence.
function releaseOf({ releases }: Network, code: Hex, simulated: boolean): string | undefined {
  const known = publishedReleases.find(
    ({ platform, codeHash }) => codeHash === code && (platform === 'simulator') === simulated,
  );
  if (known !== undefined) return `the code is release ${known.version}, commit ${known.commit}`;
  return releases.includes(code) ? 'the code is a release that the network file names' : undefined;
}

interface Link {
  name: string;
  holds: boolean;
  detail: string;
  advice: string;
}

// Links are judged in order; after the first failure the rest are not evaluated.
function judgeLinks(intact: boolean, links: readonly Link[]): Check[] {
  let whole = intact;
  return links.map(({ name, holds, detail, advice }) => {
    if (!whole) return { name, state: 'not evaluated', detail: '', advice: '' };
    whole = holds;
    return { name, state: holds ? 'passed' : 'failed', detail, advice: holds ? '' : advice };
  });
}

/** Takes the newest quote from the chain and collateral from the enclave's service, and verifies
 * everything off chain. */
export async function verifyEnclave(
  context: Context,
  id: Hex,
  terms?: SessionTerms,
  signal?: AbortSignal,
): Promise<EnclaveVerification> {
  const { network, sessions } = await context.parts();
  const record = await sessions.enclave(id);
  const known = sessions.registrations(id);
  const first = await known.next();
  const newest = first.done === true ? undefined : first.value;
  if (newest === undefined) {
    throw new FFEError(
      'attestation',
      `enclave ${id} is not registered`,
      'do not encrypt to it; ask the opener for a session with a registered enclave',
    );
  }
  const root = network.developmentRoot;
  const { evidence, collateral } = await askOperator(network, id, newest, known, signal);
  const quote = await verifyQuote(
    evidence,
    collateral,
    root === undefined ? intelRoot : developmentRoot(fromHex(root)),
    Math.floor(Date.now() / 1000),
    { ...context.options.policy, allowDevelopment: root !== undefined },
    context.surroundings.rollbackGuard,
  );
  const { td } = quote.quote ?? parseQuote(evidence.quote);
  const extBytes =
    newest.ext ??
    enclaveExt({
      chainId: network.chainId,
      registry: network.registry,
      signer: record.signer,
      appHash: newest.renewal?.appHash ?? zeroHash,
      blockNumber: newest.renewal?.blockNumber ?? 0,
      nonce: await sessions.blockHash(newest.renewal?.blockNumber ?? 0),
    });
  const ext = parseEnclaveExt(extBytes);
  // Where the registry knows the platform alone, the event log says which application runs there.
  const code = evidence.runtimeData === undefined ? workloadId(td) : quote.codeHash;
  // Where RTMR3 grows the event log names the code; otherwise the registers do.
  const measured = quote.codeHash ?? code ?? zeroHash;
  const release = releaseOf(network, measured, quote.simulated);
  const links: Link[] = [
    {
      name: 'binding',
      holds:
        binds(evidence, td, record.signer, extBytes) &&
        ext.signer === record.signer &&
        ext.registry === network.registry &&
        ext.chainId === network.chainId,
      detail: `the quote names signer ${ext.signer} for chain ${ext.chainId}`,
      advice: 'the quote belongs to another enclave, registry or chain: refuse it',
    },
    {
      name: 'code',
      holds: code === record.codeHash && enclaveIdOf(record.signer, code) === id,
      detail:
        code === undefined
          ? 'no event log came with the quote, so nothing says which application runs'
          : `measured code ${code}`,
      advice:
        code === undefined
          ? 'ask the operator to serve the event log of this quote'
          : 'the registry holds another code hash than the quote proves: refuse it',
    },
    {
      name: 'release',
      holds: release !== undefined,
      detail: release ?? `the code ${measured} is no published release`,
      advice: 'update this client, or ask the operator which release runs there',
    },
    {
      name: 'registry',
      holds: record.state === 'active' && record.development === (root !== undefined),
      detail: `the registration is ${record.state}`,
      advice:
        record.state === 'expired'
          ? 'wait until the operator renews it, or use another enclave'
          : 'use another enclave',
    },
  ];
  if (terms !== undefined) {
    links.push({
      name: 'terms',
      holds: terms.enclaveId === id && terms.codeHash === code,
      detail: "the session's terms name this enclave and this code",
      advice: 'the session was opened for another enclave or other code: do not submit',
    });
  }
  const judged = judgeLinks(quote.accepted, links);
  return {
    accepted: quote.accepted && judged.every((link) => link.state === 'passed'),
    quote,
    links: judged,
    enclaveId: id,
    codeHash: record.codeHash,
    signer: record.signer,
    simulated: quote.simulated,
  };
}

/** Bytes that the enclave takes from each contributor, as its service says; undefined where none
 * does. */
export async function contributionLimit(
  context: Context,
  terms: SessionTerms,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const { network } = await context.parts();
  for (const url of network.enclaveUrls) {
    try {
      const f = new Fields(
        await new EnclaveService(url).ask('/v1/enclave', undefined, signal),
        url,
      );
      if (f.hex('enclaveId', 32) !== terms.enclaveId) continue;
      const limits = new Fields(f.member('limits'), f.path('limits'));
      const share = Math.floor(limits.integer('sessionBytes') / terms.participants.length);
      return Math.min(limits.integer('contributionBytes'), share);
    } catch (error) {
      if (!(error instanceof FFEError) || error.code === 'interrupted') throw error;
      // the operator need not say
    }
  }
  return undefined;
}
