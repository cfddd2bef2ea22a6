// The enclave service's HTTP interface (docs/spec/enclave-api.md) and the verification of an enclave:
// quote, code, release, registry, terms. Nothing that the service says is believed.
import { equalBytes, fromHex, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, parseJson, type Json } from '../base/json.js';
import { enclaveId as enclaveIdOf, type SessionTerms } from '../session/terms.js';
import { parseEnclaveExt, reportDataOf } from '../tee/binding.js';
import type { Check } from '../tee/checklist.js';
import { collateralFromJson, type Collateral } from '../tee/collateral.js';
import { parseQuote, workloadId } from '../tee/quote.js';
import {
  developmentRoot,
  intelRoot,
  requireVerified,
  verifyQuote,
  type Verification,
} from '../tee/verify.js';
import type { Context } from './context.js';
import type { Network } from './network.js';

const TIMEOUT = 30_000;
const MAX_ANSWER = 16 << 20;

/** One enclave service. */
export class EnclaveService {
  constructor(readonly url: string) {}

  /** @throws FFEError `session` with the service's own words, `network` if it does not answer. */
  async ask(path: string, body?: Json, signal?: AbortSignal): Promise<Json> {
    const what = this.url + path;
    const timeout = AbortSignal.timeout(TIMEOUT);
    const stop = (): void => controller.abort();
    const controller = new AbortController();
    timeout.addEventListener('abort', stop);
    signal?.addEventListener('abort', stop);
    let response: Response;
    let text: string;
    try {
      response = await fetch(what, {
        signal: controller.signal,
        ...(body !== undefined && {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      });
      text = await response.text();
    } catch (cause) {
      if (signal?.aborted === true) throw new FFEError('interrupted', 'stopped by the caller');
      throw new FFEError(
        'network',
        `${what} does not answer`,
        'check enclaveUrls in the network file, and the connection; then call again',
        { cause },
      );
    } finally {
      timeout.removeEventListener('abort', stop);
      signal?.removeEventListener('abort', stop);
    }
    let answer: Json;
    try {
      answer = parseJson(text, what, { maxLength: MAX_ANSWER });
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

/** Asks the network's services for the enclave's collateral. @throws FFEError `network` */
async function fetchCollateral(
  network: Network,
  id: Hex,
  signal?: AbortSignal,
): Promise<Collateral> {
  let why = 'no enclave service is configured';
  for (const url of network.enclaveUrls) {
    try {
      const evidence = new Fields(
        await new EnclaveService(url).ask('/v1/enclave', undefined, signal),
        url,
      );
      if (evidence.hex('enclaveId', 32) !== id) continue;
      return collateralFromJson(evidence.member('collateral'));
    } catch (error) {
      if (!(error instanceof FFEError) || error.code === 'interrupted') throw error;
      why = error.message;
    }
  }
  throw new FFEError(
    'network',
    `no collateral for the enclave's quote: ${why}`,
    'check enclaveUrls in the network file',
  );
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

/** Takes the registered quote from the chain and collateral from the enclave's service, and verifies
 * everything off chain. */
export async function verifyEnclave(
  context: Context,
  id: Hex,
  terms?: SessionTerms,
  signal?: AbortSignal,
): Promise<EnclaveVerification> {
  const { network, sessions } = await context.parts();
  const record = await sessions.enclave(id);
  const registration = record.state === 'unknown' ? undefined : await sessions.registration(id);
  if (registration === undefined) {
    throw new FFEError(
      'attestation',
      `enclave ${id} is not registered`,
      'do not encrypt to it; ask the opener for a session with a registered enclave',
    );
  }
  const root = network.developmentRoot;
  const anchor = root === undefined ? intelRoot : developmentRoot(fromHex(root));
  const quote = await verifyQuote(
    registration.quote,
    await fetchCollateral(network, id, signal),
    anchor,
    Math.floor(Date.now() / 1000),
    { ...context.options.policy, allowDevelopment: root !== undefined },
  );
  const { td } = quote.quote ?? parseQuote(registration.quote);
  const code = workloadId(td);
  const ext = parseEnclaveExt(registration.ext);
  const released = network.releases.includes(code);
  const links: Link[] = [
    {
      name: 'binding',
      holds:
        equalBytes(reportDataOf(record.signer, registration.ext), td.reportData) &&
        ext.signer === record.signer &&
        ext.registry === network.registry &&
        ext.chainId === network.chainId,
      detail: `the quote names signer ${ext.signer} for chain ${ext.chainId}`,
      advice: 'the quote belongs to another enclave, registry or chain: refuse it',
    },
    {
      name: 'code',
      holds: code === record.codeHash && enclaveIdOf(record.signer, code) === id,
      detail: `measured code ${code}`,
      advice: 'the registry holds another code hash than the quote proves: refuse it',
    },
    {
      name: 'release',
      holds: released,
      detail: released
        ? 'the code is a published release'
        : `the code ${code} is no published release`,
      advice: 'update this client, or ask the operator which release runs there',
    },
    {
      name: 'registry',
      holds: record.state === 'active' && record.development === (root !== undefined),
      detail: `the registration is ${record.state}`,
      advice: 'wait until the operator renews it, or use another enclave',
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
