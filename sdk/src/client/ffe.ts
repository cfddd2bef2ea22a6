// The client: open a session, submit to it, take the model home.
import { JsonRpcProvider, Network as EthersNetwork, type TransactionReceipt } from 'ethers';
import { toAddress, toHash, toHex, zeroAddress, zeroHash, type Hex } from '../base/bytes.js';
import { checkAborted, FFEError, sleep } from '../base/errors.js';
import { Fields, parseJson, type Json } from '../base/json.js';
import { allow, amountText, currencyOf, requireFunds, type Currency } from '../chain/erc20.js';
import { chainError, revertHint } from '../chain/errors.js';
import {
  Sessions,
  type Claimable,
  type FinalRecord,
  type OpenedSession,
  type SessionSubmission,
  type SessionView,
  type SlashRecord,
  type TokenView,
} from '../chain/sessions.js';
import { Account, type WalletLike } from '../chain/wallet.js';
import { randomBytes, sha256 } from '../crypto/hash.js';
import { openArtifact } from '../session/artifact.js';
import {
  blobRole,
  hashSource,
  memorySource,
  sealBlob,
  type BlobContext,
  type Source,
} from '../session/blob.js';
import type { ContributorVerdict, ResultCertificate } from '../session/certificates.js';
import {
  deriveOwnerKey,
  openKeySecp256k1,
  openKeyX25519,
  ownerKeyHash,
} from '../session/owner-key.js';
import { defaultRecipe, parseRecipe, recipeText, type Recipe } from '../session/recipe.js';
import {
  checkReports,
  parseGateReport,
  parseTrainingReport,
  recompute,
  type GateReport,
  type ReportCheck,
  type TrainingReport,
} from '../session/reports.js';
import { readTar } from '../session/tar.js';
import {
  burnAddress,
  checkTerms,
  defaultGatePolicy,
  sessionTag,
  termsHash,
  termsToJson,
  textHash,
  type GatePolicy,
  type SessionTerms,
} from '../session/terms.js';
import { recoverMessage, typedMessage } from '../session/typed-data.js';
import { Storage, storageRoot } from '../storage/client.js';
import { memorySpool, newBlobSpool, type Spool, type SpoolWriter } from '../storage/spool.js';
import type { Policy } from '../tee/policy.js';
import {
  EnclaveService,
  requireEnclave,
  verifyEnclave,
  type EnclaveVerification,
} from './enclave.js';
import { parseNetwork, type Network } from './network.js';
import { checkRows, type DataCheck } from './rows.js';

const MAX_REPORT = 64 << 20;
const MAX_ARTIFACT = 2 ** 32;

/** Rows: a File or Blob, bytes, text in UTF-8 bytes, or a function that opens a stream of them as
 * often as it is called (they are read three times: checked, hashed, encrypted). In Node also the
 * path of a file. */
export type Input =
  string | Blob | Uint8Array | (() => AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>);

/** What is going on: a step begins or ends (`text`), or counts (`done` of `total`). */
export interface ProgressEvent {
  /** "Checking", "Verifying", "Encrypting", "Uploading", "Committing", … as in the C++ client. */
  verb: string;
  text?: string;
  done?: number;
  total?: number;
}

export interface CallOptions {
  onProgress?: (event: ProgressEvent) => void;
  /** Stops the call with FFEError `interrupted`. */
  signal?: AbortSignal;
}

export interface SubmitOptions extends CallOptions {
  /** Key that the model's key is sealed to. `secp256k1`: the account's own; the wallet must offer
   * ECDH. `x25519`: derived from two signatures of the wallet. Default: the first where the wallet
   * can, as the C++ client does, else the second. */
  ownerKey?: 'secp256k1' | 'x25519';
}

export interface FFEOptions {
  /** A network, or its name: in Node as in the command line, in browsers an URL of its JSON. */
  network: string | Network;
  /** An ethers Signer or a viem WalletClient. Needed for what signs or pays. */
  signer?: WalletLike;
  /** What to accept beyond a genuine quote of a published release. */
  policy?: Policy;
}

/** What {@link FFE.openSession} takes. Amounts are in wei, unless said otherwise. */
export interface OpenRequest {
  participants: string[];
  /** JSONL to evaluate on, encrypted to the enclave. */
  pool: Input;
  /** JSONL, public: rows like the pool's. */
  sample: Input;
  recipe?: Partial<Recipe>;
  gate?: Partial<GatePolicy>;
  /** Default: the network's first. */
  enclaveUrl?: string;
  submitSeconds?: number;
  deliverSeconds?: number;
  quorum?: number;
  minAccepted?: number;
  maxRows?: number;
  /** An ERC-20; default: the chain's own token. Fee and bond are always in that. */
  stakeToken?: string;
  /** In the token's smallest unit. */
  stake?: bigint;
  fee?: bigint;
  operatorBond?: bigint;
  slashBpsHarmful?: number;
  slashBpsInvalid?: number;
  slashRecipient?: string;
}

export interface OpenResult {
  sessionId: bigint;
  sessionHash: Hex;
  txHash: Hex;
}

export interface SubmitResult {
  data: DataCheck;
  blobRoot: Hex;
  dataHash: Hex;
  txHash: Hex;
  /** What the stake is in. */
  currency: Currency;
  stake: bigint;
  /** Of an ERC-20 stake, where one was needed. */
  approvalTxHash?: Hex;
  replaced: boolean;
}

/** A downloaded model. Every hash and signature on the way here was verified. */
export interface Model {
  tokenId: bigint;
  artifactRoot: Hex;
  /** Of the adapter's archive. */
  artifactSha256: Hex;
  /** Of adapter_model.safetensors. */
  adapterSha256: Hex;
  /** A PEFT adapter: adapter_model.safetensors, adapter_config.json, README.md, report.json. */
  files: Map<string, Uint8Array>;
  report: TrainingReport;
  gate: GateReport;
  certificate: ResultCertificate;
  /** What was recomputed; all of it passed. */
  checks: ReportCheck[];
}

export interface Status {
  opened: OpenedSession;
  view: SessionView;
  submissions: SessionSubmission[];
  slashes: SlashRecord[];
  result: FinalRecord | undefined;
  verdicts: ContributorVerdict[];
  /** What stakes are in. */
  currency: Currency;
}

/** What {@link FFE.watch} yields: a session's state, and the enclave's own words where it answers. */
export interface WatchEvent extends SessionView {
  stage: string;
  done: number;
  total: number;
  /** The last attempt's failure, while it is tried again. */
  error: string;
}

export interface TransferOptions extends CallOptions {
  /** Move the token alone: its key becomes stale. */
  withoutKey?: boolean;
}

interface Parts {
  network: Network;
  provider: JsonRpcProvider;
  sessions: Sessions;
  storage: Storage;
}

// An encrypted blob on its way: a repeated call continues with it.
interface Pending {
  dataHash: Hex;
  ownerKeyHash: Hex;
  blob: Spool;
}

const plural = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;
const short = (hash: Hex): string => `${hash.slice(0, 10)}…`;

/** The number of a session. @throws FFEError `usage` */
function sessionNumber(id: bigint | number | string): bigint {
  try {
    const number = BigInt(id);
    if (number >= 0n) return number;
  } catch {
    // not a number
  }
  throw new FFEError('usage', `"${String(id)}" is not a session's number`);
}

/** Asks the endpoint for its chain, with a limit of time, since ethers would ask for ever. */
async function openProvider(network: Network): Promise<JsonRpcProvider> {
  let found: number;
  try {
    const response = await fetch(network.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
      signal: AbortSignal.timeout(30_000),
    });
    const answer = parseJson(await response.text(), network.rpcUrl) as { result?: string };
    found = Number(answer.result);
  } catch (cause) {
    throw new FFEError(
      'network',
      `${network.rpcUrl} does not answer`,
      'check rpcUrl in the network file, and the connection; then call again',
      { cause },
    );
  }
  if (found !== network.chainId) {
    throw new FFEError(
      'network',
      `${network.rpcUrl} is chain ${found}, not ${network.chainId}`,
      'check rpcUrl in the network file',
      { reason: 'WrongChain' },
    );
  }
  const staticNetwork = EthersNetwork.from(network.chainId);
  return new JsonRpcProvider(network.rpcUrl, staticNetwork, { staticNetwork, cacheTimeout: -1 });
}

/**
 * One account on one network.
 *
 * Nothing is encrypted to an enclave that was not verified. Keys stay in the wallet. A call that
 * failed may be made again: {@link submit} then continues with the blob that it encrypted, and pays
 * for storage once.
 */
export class FFE {
  private ready: Promise<Parts> | undefined;
  private wallet: Promise<Account> | undefined;
  private readonly pending = new Map<bigint, Pending>();

  constructor(protected readonly options: FFEOptions) {}

  // --- what the Node layer replaces ------------------------------------------------------------

  /** @internal */
  protected async findNetwork(name: string): Promise<Network> {
    if (!/^https?:/.test(name)) {
      throw new FFEError(
        'usage',
        `unknown network "${name}"`,
        'give a network object, or the URL of its JSON',
      );
    }
    const response = await fetch(name).catch((cause: unknown) => {
      throw new FFEError('network', `${name} does not answer`, 'check the URL', { cause });
    });
    return parseNetwork(parseJson(await response.text(), name), name);
  }

  /** @internal */
  protected newSpool(): Promise<SpoolWriter> {
    return newBlobSpool();
  }

  /** @internal A source, and a name for messages. */
  protected async sourceOf(input: Input): Promise<[Source, string]> {
    if (typeof input === 'string') {
      throw new FFEError('usage', 'a path is of use in Node only', 'pass a File, Blob or bytes');
    }
    if (input instanceof Uint8Array) return [memorySource(input), 'data'];
    if (typeof input === 'function') {
      return [{ stream: () => iterate(input()) }, 'data'];
    }
    if (typeof Blob !== 'undefined' && input instanceof Blob) {
      const { name } = input as { name?: unknown };
      const stream = (): AsyncIterable<Uint8Array> => iterate(input.stream());
      return [{ stream }, typeof name === 'string' ? name : 'data'];
    }
    throw new FFEError(
      'usage',
      'these data can be read only once, or are no data',
      'pass a File, Blob, bytes, or a function that opens the stream',
    );
  }

  // --- parts ------------------------------------------------------------------------------------

  private parts(): Promise<Parts> {
    this.ready ??= this.connect().catch((error: unknown) => {
      this.ready = undefined; // so that a later call tries again
      throw error;
    });
    return this.ready;
  }

  private async connect(): Promise<Parts> {
    const given = this.options.network;
    const network =
      typeof given === 'string'
        ? await this.findNetwork(given)
        : parseNetwork({ ...given } as unknown as Json, 'network');
    const provider = await openProvider(network);
    return {
      network,
      provider,
      sessions: new Sessions(network, provider),
      storage: new Storage(network, provider),
    };
  }

  private async account(): Promise<Account> {
    const { signer } = this.options;
    if (signer === undefined) {
      throw new FFEError('key', 'this call signs or pays, and there is no wallet', 'pass signer');
    }
    const { provider, network } = await this.parts();
    this.wallet ??= Account.of(signer, provider, network.chainId).catch((error: unknown) => {
      this.wallet = undefined;
      throw error;
    });
    return this.wallet;
  }

  /** The network in use. */
  async network(): Promise<Network> {
    return (await this.parts()).network;
  }

  /** The wallet's account. */
  async address(): Promise<Hex> {
    return (await this.account()).address;
  }

  // --- calls ------------------------------------------------------------------------------------

  /** Reads every row. Needs no network. @throws FFEError `bad_input` "name:line:column: …". */
  async check(data: Input, options: CallOptions = {}): Promise<DataCheck> {
    const [source, name] = await this.sourceOf(data);
    return checkRows(source, name, options.signal);
  }

  /** Verifies the enclave in full, off chain: quote and collateral up to Intel's root, the quote's
   * binding to this registry, the code to a published release, the registration, and the terms if
   * given. Look at `accepted`, or use {@link requireEnclave}. */
  async verifyEnclave(
    enclaveId: string,
    terms?: SessionTerms,
    options: CallOptions = {},
  ): Promise<EnclaveVerification> {
    const { network, sessions } = await this.parts();
    return verifyEnclave(
      network,
      sessions,
      toHash(enclaveId, 'enclave id'),
      this.options.policy ?? {},
      terms,
      options.signal,
    );
  }

  /** Encrypts and uploads the pool, uploads the sample, obtains the enclave's offer, opens. */
  async openSession(request: OpenRequest, options: CallOptions = {}): Promise<OpenResult> {
    const { network, sessions, storage, provider } = await this.parts();
    const account = await this.account();
    const step = steps(options);
    const [pool, poolName] = await this.sourceOf(request.pool);
    const [sample, sampleName] = await this.sourceOf(request.sample);
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
    const verified = await this.verifyEnclave(enclave, undefined, options);
    requireEnclave(verified);
    step('Verifying', `enclave ${enclave}`);

    const { domain } = sessions;
    const salt = toHex(randomBytes(32));
    const tag = sessionTag(domain, account.address, salt);
    const grant = new Fields(
      await service.ask('/v1/sessions/key', { opener: account.address, salt }, options.signal),
      'grant',
    );
    const sessionKey = grant.hex('sessionKey', 32);
    const seedCommitment = grant.hex('seedCommitment', 32);
    const key = typedMessage(domain, 'SessionKey', { sessionTag: tag, sessionKey, seedCommitment });
    if (recoverMessage(key, grant.hex('signature', 65)) !== verified.signer) {
      throw new FFEError(
        'attestation',
        'the session key is not signed by the enclave',
        'somebody between you and the enclave swapped it: do not go on',
      );
    }

    const context: BlobContext = {
      role: blobRole.evaluation,
      domain,
      binding: tag,
      contributor: account.address,
      enclaveId: enclave,
      ownerKeyHash: zeroHash,
    };
    const blob = await this.seal(pool, sessionKey, context, account, options);
    step('Uploading', 'evaluation pool and public sample to 0G Storage');
    let evalRoot: Hex;
    let sampleRoot: Hex;
    try {
      evalRoot = await storage.upload(blob.spool, account, transfer(options, 'Uploading'));
      const plain = await this.spool(sample);
      sampleRoot = await storage.upload(plain, account, { signal: options.signal });
      await plain.discard();
    } finally {
      await blob.spool.discard();
    }

    const recipe = recipeText({ ...defaultRecipe, ...request.recipe });
    const manifest = evidence.string('manifest');
    const block = await provider.getBlock('latest').catch((error: unknown) => {
      throw chainError(error, 'eth_getBlockByNumber');
    });
    const terms: SessionTerms = {
      enclaveId: enclave,
      codeHash: verified.codeHash,
      stakeToken: toAddress(request.stakeToken ?? zeroAddress, 'stakeToken'),
      baseModel: textHash(manifest),
      recipe: textHash(recipe),
      evalRoot,
      sampleRoot,
      salt,
      gate: { ...defaultGatePolicy, ...request.gate },
      submitDeadline: (block?.timestamp ?? 0) + (request.submitSeconds ?? 3600),
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
    const offer = new Fields(
      await service.ask('/v1/sessions/offer', body, options.signal),
      'offer',
    );
    step('Opening', 'the session');
    const data = sessions.coordinator.encode('openSession', [
      terms,
      { sessionTag: tag, sessionKey, seedCommitment, termsHash: termsHash(terms) },
      offer.hex('signature', 65),
      recipe,
      manifest,
    ]);
    const { address } = sessions.coordinator;
    const receipt = await account.send('opening', address, data, terms.fee, options.signal);
    const sessionId = await sessions.coordinator.call('sessionOfTag', tag);
    const opened = await sessions.opened(sessionId);
    return { sessionId, sessionHash: opened.sessionHash, txHash: toHash(receipt.hash) };
  }

  /** Verifies the enclave, checks the rows, encrypts, uploads, commits with the stake. A second call
   * with other rows replaces the blob. */
  async submit(
    sessionId: bigint | number | string,
    data: Input,
    options: SubmitOptions = {},
  ): Promise<SubmitResult> {
    const { sessions, storage, provider } = await this.parts();
    const account = await this.account();
    const step = steps(options);
    const [source, name] = await this.sourceOf(data);
    const opened = await this.openForSubmission(sessionNumber(sessionId), account.address);
    const { terms } = opened;

    const verified = await this.verifyEnclave(terms.enclaveId, terms, options);
    requireEnclave(verified);
    step(
      'Verifying',
      `enclave ${short(terms.enclaveId)}  TCB ${verified.quote.tcbStatus}  code ` +
        short(verified.codeHash) +
        (verified.simulated ? '  (simulated: no protection)' : ''),
    );
    // Terms that let the rows leave the enclave are said before anything is encrypted.
    if (parseRecipe(opened.recipeText).trainer === '0g-compute') {
      step('Warning', 'these terms send the accepted rows out of the enclave, to 0G Compute');
    }
    const checked = await checkRows(source, name, options.signal);
    step('Checking', `${name}  ${plural(checked.rows, 'row')}`);

    const earlier = await sessions.contribution(opened.id, account.address);
    const replaced = earlier.blobRoot !== zeroHash;
    const currency = await currencyOf(provider, terms.stakeToken);
    if (!replaced) {
      await requireFunds(provider, account, currency, terms.stake);
      step('Staking', amountText(terms.stake, currency));
    }

    const ownerKey = await this.ownerKey(opened, account, options.ownerKey);
    const blob = await this.encrypted(opened, source, ownerKey, account, options);
    const blobRoot = await storage.upload(blob.blob, account, transfer(options, 'Uploading'));
    step('Uploading', `0G Storage ${short(blobRoot)}`);

    const call = sessions.coordinator.encode('submit', [opened.id, blobRoot, toHex(ownerKey)]);
    const { address } = sessions.coordinator;
    const { stakeToken, stake } = terms;
    const native = stakeToken === zeroAddress;
    const value = replaced || !native ? 0n : stake;
    const approvalTxHash =
      replaced || native
        ? undefined
        : await allow(provider, account, stakeToken, address, stake, options.signal);
    if (approvalTxHash !== undefined) {
      step('Approving', `the coordinator to take ${amountText(stake, currency)}`);
    }
    const receipt = await account.send('submitting', address, call, value, options.signal);
    this.pending.delete(opened.id);
    await blob.blob.discard();
    const txHash = toHash(receipt.hash);
    step('Committing', `session ${opened.id}  tx ${short(txHash)}  block ${receipt.blockNumber}`);
    return {
      data: checked,
      blobRoot,
      dataHash: blob.dataHash,
      txHash,
      currency,
      stake,
      ...(approvalTxHash !== undefined && { approvalTxHash }),
      replaced,
    };
  }

  /** @throws FFEError `session` unless this account may submit now. */
  private async openForSubmission(id: bigint, address: Hex): Promise<OpenedSession> {
    const { sessions, provider } = await this.parts();
    const opened = await sessions.opened(id);
    if (!opened.terms.participants.includes(address)) {
      throw new FFEError(
        'session',
        `${address} is not on the session's list`,
        revertHint('NotParticipant'),
        { reason: 'NotParticipant' },
      );
    }
    const view = await sessions.view(id);
    if (view.state !== 'open') {
      throw new FFEError(
        'session',
        `session ${id} is ${view.state}`,
        'nothing can be submitted any more',
        { reason: 'WrongState' },
      );
    }
    const block = await provider.getBlock('latest').catch((error: unknown) => {
      throw chainError(error, 'eth_getBlockByNumber');
    });
    if (block !== null && block.timestamp >= opened.terms.submitDeadline) {
      throw new FFEError(
        'session',
        `session ${id} took submissions until ${new Date(opened.terms.submitDeadline * 1000).toISOString()}`,
        revertHint('SubmitClosed'),
        { reason: 'SubmitClosed' },
      );
    }
    return opened;
  }

  private async ownerKey(
    opened: OpenedSession,
    account: Account,
    kind?: SubmitOptions['ownerKey'],
  ): Promise<Uint8Array> {
    const { ecdh } = account;
    if (kind !== 'x25519' && ecdh !== undefined) return ecdh.publicKey;
    if (kind === 'secp256k1') {
      throw new FFEError(
        'key',
        'this wallet offers no ECDH with its key',
        'use ownerKey "x25519", the default for such wallets',
      );
    }
    const { domain } = (await this.parts()).sessions;
    const pair = await deriveOwnerKey(account.sign, domain, opened.sessionTag, account.address);
    return pair.publicKey;
  }

  // The blob of an earlier call with the same rows and key, or a new one.
  private async encrypted(
    opened: OpenedSession,
    source: Source,
    ownerKey: Uint8Array,
    account: Account,
    options: CallOptions,
  ): Promise<Pending> {
    const keyHash = ownerKeyHash(ownerKey);
    const waiting = this.pending.get(opened.id);
    if (waiting !== undefined) {
      const { hash } = await hashSource(source, options.signal);
      if (waiting.dataHash === hash && waiting.ownerKeyHash === keyHash) return waiting;
      await waiting.blob.discard();
      this.pending.delete(opened.id);
    }
    const context: BlobContext = {
      role: blobRole.data,
      domain: (await this.parts()).sessions.domain,
      binding: opened.sessionHash,
      contributor: account.address,
      enclaveId: opened.terms.enclaveId,
      ownerKeyHash: keyHash,
    };
    const { spool, dataHash } = await this.seal(
      source,
      opened.sessionKey,
      context,
      account,
      options,
    );
    steps(options)('Encrypting', `${spool.size} bytes to the enclave's session key`);
    const fresh: Pending = { dataHash, ownerKeyHash: keyHash, blob: spool };
    this.pending.set(opened.id, fresh);
    return fresh;
  }

  private async seal(
    source: Source,
    sessionKey: Hex,
    context: BlobContext,
    account: Account,
    options: CallOptions,
  ): Promise<{ spool: Spool; dataHash: Hex }> {
    const writer = await this.newSpool();
    try {
      const { progress, signal } = transfer(options, 'Encrypting');
      const info = await sealBlob(
        source,
        sessionKey,
        context,
        account.sign,
        (bytes) => writer.write(bytes),
        { progress, signal },
      );
      return { spool: await writer.finish(), dataHash: info.dataHash };
    } catch (error) {
      await writer.discard();
      throw error;
    }
  }

  private async spool(source: Source): Promise<Spool> {
    const writer = await this.newSpool();
    for await (const bytes of source.stream()) await writer.write(bytes);
    return writer.finish();
  }

  private async transact(
    doing: string,
    call: (sessions: Sessions, account: Account) => { to: Hex; data: Hex },
    options: CallOptions = {},
  ): Promise<TransactionReceipt> {
    const { sessions } = await this.parts();
    const account = await this.account();
    const { to, data } = call(sessions, account);
    return account.send(doing, to, data, 0n, options.signal);
  }

  /** Takes the blob and the stake back, before the deadline. */
  async withdraw(
    sessionId: bigint | number | string,
    options: CallOptions = {},
  ): Promise<TransactionReceipt> {
    const id = sessionNumber(sessionId);
    return this.transact(
      'withdrawing',
      ({ coordinator }) => ({
        to: coordinator.address,
        data: coordinator.encode('withdraw', [id]),
      }),
      options,
    );
  }

  /** Pays out what an ended session owes this account, and its credit, to `to` or itself. */
  async claim(
    sessionId: bigint | number | string,
    to?: string,
    options: CallOptions = {},
  ): Promise<TransactionReceipt> {
    const id = sessionNumber(sessionId);
    const receiver = to === undefined ? undefined : toAddress(to, 'receiver');
    return this.transact(
      'claiming',
      ({ coordinator }, account) => ({
        to: coordinator.address,
        data: coordinator.encode('claim', [id, receiver ?? account.address]),
      }),
      options,
    );
  }

  /** What {@link claim} would pay, in wei. */
  async claimable(sessionId: bigint | number | string): Promise<Claimable> {
    const { sessions } = await this.parts();
    return sessions.claimable(sessionNumber(sessionId), await this.address());
  }

  /** Everything that the chain knows about a session. */
  async status(sessionId: bigint | number | string): Promise<Status> {
    const { sessions, provider } = await this.parts();
    const opened = await sessions.opened(sessionNumber(sessionId));
    const [view, submissions, slashes, result, verdicts, currency] = await Promise.all([
      sessions.view(opened.id),
      sessions.submissions(opened),
      sessions.slashes(opened),
      sessions.finalRecord(opened),
      sessions.verdicts(opened),
      currencyOf(provider, opened.terms.stakeToken),
    ]);
    return { opened, view, submissions, slashes, result, verdicts, currency };
  }

  /** The enclave service's own words about a session; undefined where none answers. */
  async enclaveStatus(sessionId: bigint | number | string): Promise<Json | undefined> {
    const { network } = await this.parts();
    for (const url of network.enclaveUrls) {
      try {
        return await new EnclaveService(url).ask(`/v1/sessions/${sessionNumber(sessionId)}`);
      } catch {
        continue; // another service may run this session
      }
    }
    return undefined;
  }

  /** Yields whenever something changed, and ends with the session. `interval` in milliseconds. */
  async *watch(
    sessionId: bigint | number | string,
    options: { signal?: AbortSignal; interval?: number } = {},
  ): AsyncGenerator<WatchEvent, void, void> {
    const { sessions } = await this.parts();
    const id = sessionNumber(sessionId);
    await sessions.opened(id);
    for (let last = ''; ;) {
      checkAborted(options.signal);
      const view = await sessions.view(id);
      const words = (await this.enclaveStatus(id)) as Partial<WatchEvent> | undefined;
      const event: WatchEvent = {
        ...view,
        stage: String(words?.stage ?? ''),
        done: Number(words?.done ?? 0),
        total: Number(words?.total ?? 0),
        error: String(words?.error ?? ''),
      };
      const text = JSON.stringify(event);
      if (text !== last) yield event;
      last = text;
      if (event.state !== 'open' && event.state !== 'sealed') return;
      await sleep(options.interval ?? 2000, options.signal);
    }
  }

  /** INFT → sealed key → adapter files. Verifies the result certificate and its signature, the seal
   * hash from the submissions, gate.json and its evidence, every storage segment, the artifact's
   * authentication tag, and the report inside.
   * @throws FFEError `key` if this account owns no token of the session, `session` while there is no
   * model. */
  async download(sessionId: bigint | number | string, options: CallOptions = {}): Promise<Model> {
    const { sessions, storage } = await this.parts();
    const account = await this.account();
    const step = steps(options);
    const id = sessionNumber(sessionId);
    const opened = await sessions.opened(id);
    const final = await sessions.finalRecord(opened);
    if (final === undefined || final.artifactRoot === zeroHash) {
      const { state } = await sessions.view(id);
      throw new FFEError(
        'session',
        `session ${id} has no model (state: ${state})`,
        'look at its status',
      );
    }
    const token = await this.myToken(id, account.address);
    if ((await sessions.artifactRoot(id)) !== final.artifactRoot) {
      throw new FFEError('corrupt', 'the token and the result name different artifacts');
    }
    step('Finding', `token ${token.id}`);
    const certificate = await sessions.result(opened, final);
    const key = await this.modelKey(opened, token, account);
    const limits = transfer(options, 'Downloading');
    const fetchFile = async (root: Hex, limit: number, progress = false): Promise<Uint8Array> => {
      const file = await storage.download(root, () => this.newSpool(), limit, {
        signal: options.signal,
        ...(progress && limits),
      });
      const bytes = await file.slice(0, file.size);
      await file.discard();
      return bytes;
    };
    const gateBytes = await fetchFile(final.gateRoot, MAX_REPORT);
    const artifact = await fetchFile(final.artifactRoot, MAX_ARTIFACT, true);
    step('Downloading', `${artifact.length} bytes, every segment proven`);
    const tar = openArtifact(key, artifact);
    key.fill(0);
    const files = readTar(tar);
    step('Decrypting', plural(files.size, 'file'));

    const weights = files.get('adapter_model.safetensors');
    const reportBytes = files.get('report.json');
    if (weights === undefined || reportBytes === undefined) {
      throw new FFEError('corrupt', 'the artifact lacks its weights or its report');
    }
    if ((await storageRoot(memorySpool(reportBytes))) !== final.reportRoot) {
      throw new FFEError('corrupt', 'the report inside the artifact is not the certified one');
    }
    const report = parseTrainingReport(new TextDecoder().decode(reportBytes));
    if (report.sessionHash !== opened.sessionHash) {
      throw new FFEError('corrupt', 'the report is of another session');
    }
    const gate = parseGateReport(new TextDecoder().decode(gateBytes));
    const checks = [...checkReports(certificate, gate, report), ...recompute(gate)];
    const broken = checks.find((check) => !check.passed);
    if (broken !== undefined) {
      throw new FFEError(
        'corrupt',
        `the reports do not hold: ${broken.name}: ${broken.detail}`,
        'the enclave contradicts itself: do not use this model, and tell its operator',
      );
    }
    step('Verifying', `${plural(checks.length, 'claim')} of the reports recomputed`);
    return {
      tokenId: token.id,
      artifactRoot: final.artifactRoot,
      artifactSha256: toHex(sha256(tar)),
      adapterSha256: toHex(sha256(weights)),
      files,
      report,
      gate,
      certificate,
      checks,
    };
  }

  private async myToken(id: bigint, address: Hex): Promise<TokenView> {
    const tokens = await (await this.parts()).sessions.tokensOf(id);
    const mine = tokens.find((token) => token.owner === address);
    if (mine !== undefined) return mine;
    throw new FFEError(
      'key',
      `${address} owns no token of session ${id}`,
      `only its ${plural(tokens.length, 'owner')} can open this model`,
    );
  }

  private async modelKey(
    opened: OpenedSession,
    token: TokenView,
    account: Account,
  ): Promise<Uint8Array> {
    const { sessions } = await this.parts();
    const sealed = await sessions.sealedKey(token);
    if (sealed.length === 80) {
      const pair = await deriveOwnerKey(
        account.sign,
        sessions.domain,
        opened.sessionTag,
        account.address,
      );
      return openKeyX25519(sealed, pair, opened.sessionHash, account.address);
    }
    const { ecdh } = account;
    if (ecdh === undefined) {
      throw new FFEError(
        'key',
        "the model's key is sealed to the account's own key, and this wallet offers no ECDH with it",
        'open it with the keystore file: ffe download, or an ethers Wallet',
      );
    }
    return openKeySecp256k1(sealed, ecdh.shared);
  }

  /** Moves a token to `to`. No enclave service re-seals keys for a buyer yet, so the only form is
   * `withoutKey`: an ERC-721 transfer, after which the key is stale until it is sealed again. A
   * seller keeps what it downloaded: a sale shares access.
   * @throws FFEError `unsupported` without that option. */
  async transfer(
    tokenId: bigint | number | string,
    to: string,
    options: TransferOptions = {},
  ): Promise<TransactionReceipt> {
    const { sessions } = await this.parts();
    const account = await this.account();
    const receiver = toAddress(to, 'receiver');
    const token = await sessions.token(sessionNumber(tokenId));
    if (token.owner !== account.address) {
      throw new FFEError('key', `${account.address} does not own token ${token.id}`);
    }
    if (options.withoutKey !== true) {
      throw new FFEError(
        'unsupported',
        "no enclave service re-seals a model's key for a buyer yet",
        'pass withoutKey: true to move the token alone; its new owner cannot open the model',
      );
    }
    return this.transact(
      'transferring',
      ({ inft }) => ({
        to: inft.address,
        data: inft.interface.encodeFunctionData('transferFrom', [
          account.address,
          receiver,
          token.id,
        ]) as Hex,
      }),
      options,
    );
  }
}

const steps =
  ({ onProgress }: CallOptions) =>
  (verb: string, text: string): void =>
    onProgress?.({ verb, text });

function transfer({ onProgress, signal }: CallOptions, verb: string) {
  const progress = (done: number, total: number): void => onProgress?.({ verb, done, total });
  return { progress, signal };
}

async function* iterate(
  stream: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (Symbol.asyncIterator in stream) {
    yield* stream;
    return;
  }
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    await reader.cancel();
  }
}
