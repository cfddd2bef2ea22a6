// Opening a session: pool and sample stored, the enclave's key and consent obtained, terms on chain.
import { toAddress, toHash, toHex, zeroAddress, zeroHash, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields } from '../base/json.js';
import { randomBytes } from '../crypto/hash.js';
import { blobRole, type Source } from '../session/blob.js';
import { defaultRecipe, recipeText, whoSeesRows, type Recipe } from '../session/recipe.js';
import {
  burnAddress,
  checkTerms,
  defaultGatePolicy,
  sessionTag,
  termsHash,
  termsToJson,
  textHash,
  type SessionTerms,
} from '../session/terms.js';
import { recoverMessage, typedMessage } from '../session/typed-data.js';
import { counting, plural, steps, type Context } from './context.js';
import {
  EnclaveService,
  requireEnclave,
  verifyEnclave,
  type EnclaveVerification,
} from './enclave.js';
import { checkRows } from './rows.js';
import type { CallOptions, OpenRequest, OpenResult } from './types.js';

// Gas that `finalize` needs for a session whose every participant is accepted; measured
// (docs/benchmarks.md), rounded up.
const finalizeGas = (participants: number): bigint => 150_000n + 95_000n * BigInt(participants);

function requireSettleable(participants: number, blockGas: bigint): void {
  if (finalizeGas(participants) <= blockGas) return;
  throw new FFEError(
    'usage',
    `a session of ${plural(participants, 'participant')} could not be settled on this chain: its ` +
      `blocks hold ${blockGas} gas`,
    'invite fewer participants',
  );
}

// Of those that the enclave's machine can run.
function fastestPath(evidence: Fields): string {
  const offered = evidence.has('numericPaths')
    ? evidence.array('numericPaths', 100, (item) => item)
    : [];
  const found = ['amx-bf16', 'avx512-bf16', 'f32'].find((path) => offered.includes(path));
  if (found !== undefined) return found;
  throw new FFEError(
    'unsupported',
    'the enclave offers no numeric path that this client knows',
    'name one in the recipe',
  );
}

interface Grant {
  tag: Hex;
  salt: Hex;
  sessionKey: Hex;
  seedCommitment: Hex;
}

/** The enclave's key for a session that is not open yet, signed by its signer. */
async function obtainKey(
  context: Context,
  service: EnclaveService,
  { signer }: EnclaveVerification,
  options: CallOptions,
): Promise<Grant> {
  const { domain } = (await context.parts()).sessions;
  const opener = (await context.account()).address;
  const salt = toHex(randomBytes(32));
  const tag = sessionTag(domain, opener, salt);
  const grant = new Fields(
    await service.ask('/v1/sessions/key', { opener, salt }, options.signal),
    'grant',
  );
  const sessionKey = grant.hex('sessionKey', 32);
  const seedCommitment = grant.hex('seedCommitment', 32);
  const key = typedMessage(domain, 'SessionKey', { sessionTag: tag, sessionKey, seedCommitment });
  if (recoverMessage(key, grant.hex('signature', 65)) !== signer) {
    throw new FFEError(
      'attestation',
      'the session key is not signed by the enclave',
      'somebody between you and the enclave swapped it: do not go on',
    );
  }
  return { tag, salt, sessionKey, seedCommitment };
}

/** Encrypts the pool and stores both. */
async function store(
  context: Context,
  enclaveId: Hex,
  { tag, sessionKey }: Grant,
  pool: Source,
  sample: Source,
  options: CallOptions,
): Promise<{ evalRoot: Hex; sampleRoot: Hex }> {
  const { sessions, storage } = await context.parts();
  const account = await context.account();
  const blobContext = {
    role: blobRole.evaluation,
    domain: sessions.domain,
    binding: tag,
    contributor: account.address,
    enclaveId,
    ownerKeyHash: zeroHash,
  };
  const writer = await context.surroundings.newSpool();
  const { spool } = await context.seal(writer, pool, sessionKey, blobContext, account, options);
  steps(options)('Uploading', 'evaluation pool and public sample to 0G Storage');
  try {
    const evalRoot = await storage.upload(spool, account, counting(options, 'Uploading'));
    const plain = await context.spool(sample);
    try {
      const sampleRoot = await storage.upload(plain, account, { signal: options.signal });
      return { evalRoot, sampleRoot };
    } finally {
      await plain.discard();
    }
  } finally {
    await spool.discard();
  }
}

function recipeOf(request: OpenRequest, evidence: Fields): Recipe {
  const recipe = { ...defaultRecipe, ...request.recipe };
  if (recipe.numericPath === 'auto') recipe.numericPath = fastestPath(evidence);
  return recipe;
}

/** See `FFE.openSession`. */
export async function openSession(
  context: Context,
  request: OpenRequest,
  options: CallOptions,
): Promise<OpenResult> {
  const { network, sessions } = await context.parts();
  const account = await context.account();
  const step = steps(options);
  requireSettleable(request.participants.length, (await context.latestBlock()).gasLimit);
  const [pool, poolName] = await context.surroundings.sourceOf(request.pool);
  const [sample, sampleName] = await context.surroundings.sourceOf(request.sample);
  const poolCheck = await checkRows(pool, poolName, options.signal);
  const sampleCheck = await checkRows(sample, sampleName, options.signal);
  step(
    'Checking',
    `${plural(poolCheck.rows, 'row')} to evaluate on, ${plural(sampleCheck.rows, 'row')} as ` +
      'public sample',
  );

  const url = request.enclaveUrl ?? network.enclaveUrls[0];
  if (url === undefined) {
    throw new FFEError('usage', 'no enclave service is known', 'pass enclaveUrl');
  }
  const service = new EnclaveService(url);
  const evidence = new Fields(await service.ask('/v1/enclave', undefined, options.signal), url);
  const enclave = evidence.hex('enclaveId', 32);
  const verified = await verifyEnclave(context, enclave, undefined, options.signal);
  requireEnclave(verified);
  step('Verifying', `enclave ${enclave}`);

  const grant = await obtainKey(context, service, verified, options);
  const roots = await store(context, enclave, grant, pool, sample, options);
  const chosen = recipeOf(request, evidence);
  const who = whoSeesRows(chosen);
  if (who !== '') steps(options)('Warning', who);
  const recipe = recipeText(chosen);
  const manifest = evidence.string('manifest');
  const terms: SessionTerms = {
    enclaveId: enclave,
    codeHash: verified.codeHash,
    stakeToken: toAddress(request.stakeToken ?? zeroAddress, 'stakeToken'),
    baseModel: textHash(manifest),
    recipe: textHash(recipe),
    ...roots,
    salt: grant.salt,
    gate: { ...defaultGatePolicy, ...request.gate },
    submitDeadline: (await context.latestBlock()).timestamp + (request.submitSeconds ?? 3600),
    deliverPeriod: request.deliverSeconds ?? 86400,
    quorum: request.quorum ?? 2,
    minAccepted: request.minAccepted ?? 2,
    maxRows: request.maxRows ?? 1000,
    participants: request.participants.map((who, i) => toAddress(who, `participants[${i}]`)),
    stake: request.stake ?? 0n,
    fee: request.fee ?? 0n,
    operatorBond: request.operatorBond ?? 0n,
    slashBpsHarmful: request.slashBpsHarmful ?? 10000,
    slashBpsInvalid: request.slashBpsInvalid ?? 2500,
    slashRecipient: toAddress(request.slashRecipient ?? burnAddress, 'slashRecipient'),
  };
  checkTerms(terms);
  const body = { opener: account.address, terms: termsToJson(terms), recipe };
  const offer = new Fields(await service.ask('/v1/sessions/offer', body, options.signal), 'offer');
  step('Opening', 'the session');
  const { tag, sessionKey, seedCommitment } = grant;
  const { coordinator } = sessions;
  const data = coordinator.encode('openSession', [
    terms,
    { sessionTag: tag, sessionKey, seedCommitment, termsHash: termsHash(terms) },
    offer.hex('signature', 65),
    recipe,
    manifest,
  ]);
  const receipt = await account.send(
    'opening',
    coordinator.address,
    data,
    terms.fee,
    options.signal,
  );
  const sessionId = await coordinator.call('sessionOfTag', tag);
  const opened = await sessions.opened(sessionId);
  return { sessionId, sessionHash: opened.sessionHash, txHash: toHash(receipt.hash) };
}
