// The contracts as a client sees them: typed reads of coordinator, registry and token, each record
// checked against the hashes that name it.
import type { Provider } from 'ethers';
import { fromHex, toAddress, toHash, toHex, zeroAddress, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { keccak256 } from '../crypto/hash.js';
import type { Network } from '../client/network.js';
import {
  certificateSigner,
  reasonName,
  verdictName,
  type ContributorVerdict,
  type ResultCertificate,
} from '../session/certificates.js';
import { ownerKeyHash } from '../session/owner-key.js';
import {
  enclaveId,
  sealHash,
  sessionHash,
  sessionTag,
  termsHash,
  textHash,
  type Domain,
  type SessionTerms,
} from '../session/terms.js';
import { recoverMessage, typedMessage } from '../session/typed-data.js';
import {
  CoOwnedINFTAbi,
  type CoOwnedINFTCalls,
  type CoOwnedINFTEvents,
  type CoOwnedINFTWrites,
} from './abi/CoOwnedINFT.js';
import {
  EnclaveRegistryAbi,
  type EnclaveRegistryCalls,
  type EnclaveRegistryEvents,
  type EnclaveRegistryWrites,
} from './abi/EnclaveRegistry.js';
import {
  FFECoordinatorAbi,
  type FFECoordinatorCalls,
  type FFECoordinatorEvents,
  type FFECoordinatorWrites,
  type SessionTerms as ChainTerms,
} from './abi/FFECoordinator.js';
import { BoundContract, type DecodedLog } from './contract.js';
import { chainError } from './errors.js';

export type SessionState =
  'none' | 'open' | 'sealed' | 'settled' | 'cancelled' | 'expired' | 'aborted' | 'failed';
const STATES: readonly SessionState[] = [
  'none',
  'open',
  'sealed',
  'settled',
  'cancelled',
  'expired',
  'aborted',
  'failed',
];

export type EnclaveState = 'unknown' | 'active' | 'expired' | 'retired' | 'revoked';
const ENCLAVE_STATES: readonly EnclaveState[] = [
  'unknown',
  'active',
  'expired',
  'retired',
  'revoked',
];

/** What SessionOpened put on record; every hash in it was recomputed. */
export interface OpenedSession {
  id: bigint;
  opener: Hex;
  payee: Hex;
  sessionTag: Hex;
  sessionKey: Hex;
  seedCommitment: Hex;
  sessionHash: Hex;
  terms: SessionTerms;
  recipeText: string;
  manifestText: string;
  block: number;
}

export interface SessionView {
  state: SessionState;
  /** Zero before sealing. */
  sealHash: Hex;
  deliverDeadline: number;
  submitted: number;
  slashed: number;
  accepted: number;
}

export interface ContributionView {
  participant: boolean;
  /** From 1; 0: never submitted. */
  order: number;
  slashReason: number;
  claimed: boolean;
  blobRoot: Hex;
  ownerKeyHash: Hex;
}

export interface SessionSubmission {
  contributor: Hex;
  blobRoot: Hex;
  ownerKey: Hex;
  ownerKeyHash: Hex;
}

export interface SlashRecord {
  contributor: Hex;
  reason: number;
  evidence: bigint;
  amount: bigint;
  reward: bigint;
  gateRoot: Hex;
  txHash: Hex;
}

export interface FinalRecord {
  artifactRoot: Hex;
  gateRoot: Hex;
  reportRoot: Hex;
  seed: Hex;
  accepted: number;
  baseLossMicroNats: number;
  jointLossMicroNats: number;
  txHash: Hex;
  block: number;
}

/** A quote that the registry verified, as its transaction brought it. */
export interface Registration {
  /** Of a renewal usually cut off behind the attestation key. */
  quote: Uint8Array;
  /** What the report data is about; a renewal tells it in parts. */
  ext?: Uint8Array;
  renewal?: { appHash: Hex; blockNumber: number };
  /** 0G Tapp only. */
  runtimeData?: Uint8Array;
}

export interface EnclaveRecord {
  signer: Hex;
  payee: Hex;
  codeHash: Hex;
  validUntil: number;
  state: EnclaveState;
  development: boolean;
}

export interface TokenView {
  id: bigint;
  owner: Hex;
  keyStale: boolean;
  sealedKeyHash: Hex;
}

/** What an account can claim, in wei. */
export interface Claimable {
  stake: bigint;
  bond: bigint;
  /** Native, not yet collected. */
  credit: bigint;
}

// uint256 and uint128 stay bigint, everything smaller is a number in the terms.
function termsFromChain(t: ChainTerms): SessionTerms {
  const small = (value: bigint): number => Number(value);
  return {
    ...t,
    gate: {
      statistic: small(t.gate.statistic),
      acceptRule: small(t.gate.acceptRule),
      evalPairs: small(t.gate.evalPairs),
      minRows: small(t.gate.minRows),
      alphaInverse: small(t.gate.alphaInverse),
      harmToleranceMicro: small(t.gate.harmToleranceMicro),
      relevanceToleranceMicro: small(t.gate.relevanceToleranceMicro),
      invalidShareBps: small(t.gate.invalidShareBps),
    },
    submitDeadline: small(t.submitDeadline),
    deliverPeriod: small(t.deliverPeriod),
    quorum: small(t.quorum),
    minAccepted: small(t.minAccepted),
    maxRows: small(t.maxRows),
    slashBpsHarmful: small(t.slashBpsHarmful),
    slashBpsInvalid: small(t.slashBpsInvalid),
  };
}

export class Sessions {
  readonly coordinator: BoundContract<
    FFECoordinatorCalls,
    FFECoordinatorWrites,
    FFECoordinatorEvents
  >;
  readonly registry: BoundContract<
    EnclaveRegistryCalls,
    EnclaveRegistryWrites,
    EnclaveRegistryEvents
  >;
  readonly inft: BoundContract<CoOwnedINFTCalls, CoOwnedINFTWrites, CoOwnedINFTEvents>;
  readonly domain: Domain;

  constructor(
    network: Network,
    private readonly provider: Provider,
  ) {
    const { fromBlock } = network;
    this.domain = { chainId: network.chainId, coordinator: network.coordinator };
    this.coordinator = new BoundContract(
      provider,
      network.coordinator,
      FFECoordinatorAbi,
      fromBlock,
    );
    this.registry = new BoundContract(provider, network.registry, EnclaveRegistryAbi, fromBlock);
    this.inft = new BoundContract(provider, network.inft, CoOwnedINFTAbi, fromBlock);
  }

  private static corrupt(id: bigint, why: string): never {
    throw new FFEError(
      'corrupt',
      `session ${id}: ${why}`,
      "the chain's endpoint gives contradictory answers: use another one",
    );
  }

  /** @throws FFEError `session` if there is no such session, `corrupt` if its record contradicts
   * itself. */
  async opened(id: bigint): Promise<OpenedSession> {
    const [log] = await this.coordinator.logs('SessionOpened', [id]);
    if (log === undefined) {
      throw new FFEError(
        'session',
        `there is no session ${id}`,
        'check the number and the network',
      );
    }
    const e = log.args;
    const terms = termsFromChain(e.terms);
    const { offer } = e;
    const session: OpenedSession = {
      id,
      opener: e.opener,
      payee: e.payee,
      sessionTag: offer.sessionTag,
      sessionKey: offer.sessionKey,
      seedCommitment: offer.seedCommitment,
      sessionHash: e.sessionHash,
      terms,
      recipeText: e.recipeJson,
      manifestText: e.manifestJson,
      block: log.blockNumber,
    };
    this.checkOpened(session, e.offerSignature);
    return session;
  }

  private checkOpened(s: OpenedSession, signature: Hex): void {
    const { domain } = this;
    const hash = termsHash(s.terms);
    if (sessionTag(domain, s.opener, s.terms.salt) !== s.sessionTag) {
      Sessions.corrupt(s.id, 'its tag is not that of its opener and salt');
    }
    if (sessionHash(domain, s.id, hash, s.sessionKey, s.seedCommitment) !== s.sessionHash) {
      Sessions.corrupt(s.id, 'its hash is not that of its terms');
    }
    if (textHash(s.recipeText) !== s.terms.recipe) {
      Sessions.corrupt(s.id, "the recipe is not the terms' one");
    }
    if (textHash(s.manifestText) !== s.terms.baseModel) {
      Sessions.corrupt(s.id, "the base model's manifest is not the terms' one");
    }
    // A signature by the enclave's signer makes its key certain without trusting the contract.
    const { sessionTag: tag, sessionKey, seedCommitment } = s;
    const message = { sessionTag: tag, sessionKey, seedCommitment, termsHash: hash };
    const signer = recoverMessage(typedMessage(domain, 'SessionOffer', message), signature);
    if (enclaveId(signer, s.terms.codeHash) !== s.terms.enclaveId) {
      Sessions.corrupt(s.id, 'the offer is not signed by its enclave');
    }
  }

  async view(id: bigint): Promise<SessionView> {
    const s = await this.coordinator.call('session', id);
    const state = STATES[Number(s.state)];
    if (state === undefined) {
      throw new FFEError('corrupt', "state out of range in the contract's answer");
    }
    return {
      state,
      sealHash: s.sealHash,
      deliverDeadline: Number(s.deliverDeadline),
      submitted: Number(s.submitted),
      slashed: Number(s.slashed),
      accepted: Number(s.accepted),
    };
  }

  async contribution(id: bigint, account: Hex): Promise<ContributionView> {
    const c = await this.coordinator.call('contribution', id, account);
    return { ...c, order: Number(c.order), slashReason: Number(c.slashReason) };
  }

  /** In sealing order, with the owner keys as last submitted; each checked against the contract's
   * hashes. */
  async submissions(session: OpenedSession): Promise<SessionSubmission[]> {
    const keys = new Map<Hex, Hex>();
    for (const { args } of await this.coordinator.logs('Submitted', [session.id], session.block)) {
      keys.set(args.contributor, args.ownerKey);
    }
    const order = await this.coordinator.call('contributors', session.id);
    return Promise.all(
      order.map(async (contributor) => {
        const c = await this.contribution(session.id, contributor);
        const ownerKey = keys.get(contributor) ?? '0x';
        if (ownerKeyHash(fromHex(ownerKey)) !== c.ownerKeyHash) {
          Sessions.corrupt(session.id, 'an owner key is not the committed one');
        }
        return { contributor, blobRoot: c.blobRoot, ownerKey, ownerKeyHash: c.ownerKeyHash };
      }),
    );
  }

  async slashes(session: OpenedSession): Promise<SlashRecord[]> {
    const logs = await this.coordinator.logs('Slashed', [session.id], session.block);
    return logs.map(({ args: e, transactionHash }) => ({
      contributor: e.contributor,
      reason: Number(e.reason),
      evidence: e.evidence,
      amount: e.amount,
      reward: e.reward,
      gateRoot: e.gateRoot,
      txHash: transactionHash,
    }));
  }

  async finalRecord(session: OpenedSession): Promise<FinalRecord | undefined> {
    const logs = await this.coordinator.logs('Finalized', [session.id], session.block);
    return logs.map(({ args: e, transactionHash, blockNumber }) => ({
      artifactRoot: e.artifactRoot,
      gateRoot: e.gateRoot,
      reportRoot: e.reportRoot,
      seed: e.seed,
      accepted: Number(e.accepted),
      baseLossMicroNats: Number(e.baseLossMicroNats),
      jointLossMicroNats: Number(e.jointLossMicroNats),
      txHash: transactionHash,
      block: blockNumber,
    }))[0];
  }

  async verdicts(session: OpenedSession): Promise<ContributorVerdict[]> {
    const logs = await this.coordinator.logs('VerdictGiven', [session.id], session.block);
    return Promise.all(
      logs.map(async ({ args: e }) => {
        const verdict = Number(e.verdict);
        const reason = Number(e.reason);
        verdictName(verdict);
        reasonName(reason);
        const { blobRoot } = await this.contribution(session.id, e.contributor);
        return { contributor: e.contributor, blobRoot, verdict, reason, evidence: e.evidence };
      }),
    );
  }

  private async transactionInput(log: { txHash: Hex }): Promise<string> {
    return (await this.transaction(log.txHash)).data;
  }

  private async transaction(hash: Hex): Promise<{ to: Hex | undefined; data: string }> {
    try {
      const found = await this.provider.getTransaction(hash);
      return { to: found?.to == null ? undefined : toAddress(found.to), data: found?.data ?? '0x' };
    } catch (error) {
      throw chainError(error, 'eth_getTransactionByHash');
    }
  }

  /** The certificate that settled the session, out of the transaction that brought it: signed by the
   * terms' enclave, over the seal hash that follows from the submissions.
   * @throws FFEError `corrupt` */
  async result(session: OpenedSession, final: FinalRecord): Promise<ResultCertificate> {
    const bad = (why: string): never => Sessions.corrupt(session.id, why);
    const call = this.coordinator.decode('finalize', await this.transactionInput(final));
    if (call === undefined || call[0] !== session.id) {
      throw new FFEError(
        'unsupported',
        `session ${session.id}: the result came through another contract`,
        "ask the enclave's service for its certificates",
      );
    }
    const [, raw, signature] = call as [bigint, Record<string, unknown>, Hex];
    const certificate = {
      ...raw,
      baseLossMicroNats: Number(raw.baseLossMicroNats),
      jointLossMicroNats: Number(raw.jointLossMicroNats),
      verdicts: (raw.verdicts as Record<string, unknown>[]).map((v) => ({
        ...v,
        verdict: Number(v.verdict),
        reason: Number(v.reason),
      })),
    } as unknown as ResultCertificate;
    const signer = certificateSigner({
      domain: this.domain,
      sessionId: session.id,
      certificate: { kind: 'result', ...certificate },
      signature,
    });
    if (enclaveId(signer, session.terms.codeHash) !== session.terms.enclaveId) {
      bad('the result is not signed by its enclave');
    }
    const sealed = await this.submissions(session);
    const seal = sealHash(
      session.sessionHash,
      sealed.map((s) => s.contributor),
      sealed.map((s) => s.blobRoot),
      sealed.map((s) => s.ownerKeyHash),
    );
    if (certificate.sealHash !== seal) bad('the result is about other submissions');
    if (toHex(keccak256(fromHex(certificate.seed))) !== session.seedCommitment) {
      bad('the seed is not the committed one');
    }
    for (const key of ['artifactRoot', 'gateRoot', 'reportRoot', 'seed'] as const) {
      if (certificate[key] !== final[key]) bad(`${key} of the record is not the certificate's`);
    }
    return certificate;
  }

  async claimable(id: bigint, account: Hex): Promise<Claimable> {
    const [stake, bond] = await this.coordinator.call('claimable', id, account);
    const credit = await this.coordinator.call('credit', account, zeroAddress);
    return { stake, bond, credit };
  }

  async enclave(id: Hex): Promise<EnclaveRecord> {
    const e = await this.registry.call('enclave', id);
    const state = ENCLAVE_STATES[Number(e.status)];
    if (state === undefined) throw new FFEError('corrupt', 'registry: unknown enclave status');
    return {
      signer: e.signer,
      payee: e.payee,
      codeHash: e.codeHash,
      validUntil: Number(e.validUntil),
      state,
      development: e.development,
    };
  }

  /** What the transactions that registered or renewed an enclave brought, newest first. One that came
   * through another contract is passed over: its input is not the registry's. */
  async *registrations(id: Hex): AsyncGenerator<Registration> {
    const logs = [
      ...(await this.registry.logs('EnclaveRegistered', [id])),
      ...(await this.registry.logs('EnclaveRenewed', [id])),
    ].sort((a, b) => b.blockNumber - a.blockNumber || b.index - a.index);
    for (const { transactionHash } of logs) {
      const { to, data } = await this.transaction(transactionHash);
      const read = to === this.registry.address ? this.registrationIn(data) : undefined;
      if (read !== undefined) yield read;
    }
  }

  private registrationIn(data: string): Registration | undefined {
    const bytes = (value: unknown): Uint8Array => fromHex(value as string);
    const plain = this.registry.decode('register', data);
    if (plain !== undefined) return { quote: bytes(plain[0]), ext: bytes(plain[1]) };
    const tapp = this.registry.decode('registerTapp', data);
    if (tapp !== undefined) {
      return { quote: bytes(tapp[0]), ext: bytes(tapp[1]), runtimeData: bytes(tapp[2]) };
    }
    const renewal = this.registry.decode('renew', data);
    if (renewal === undefined) return undefined;
    const [quote, appHash, blockNumber] = renewal as [string, Hex, bigint];
    return { quote: fromHex(quote), renewal: { appHash, blockNumber: Number(blockNumber) } };
  }

  /** @throws FFEError `network` if the endpoint does not know the block */
  async blockHash(number: number): Promise<Hex> {
    const block = await this.provider.getBlock(number).catch((error: unknown) => {
      throw chainError(error, 'eth_getBlockByNumber');
    });
    if (block?.hash == null) {
      throw new FFEError(
        'network',
        `block ${number} is not known at this endpoint`,
        'use a provider that keeps old blocks',
      );
    }
    return toHash(block.hash);
  }

  async tokensOf(id: bigint): Promise<TokenView[]> {
    const ids = await this.inft.call('tokensOf', id);
    return Promise.all(ids.map((token) => this.token(token)));
  }

  async token(id: bigint): Promise<TokenView> {
    const [owner, keyStale, sealedKeyHash] = await Promise.all([
      this.inft.call('ownerOf', id),
      this.inft.call('keyStale', id),
      this.inft.call('sealedKeyHash', id),
    ]);
    return { id, owner, keyStale, sealedKeyHash };
  }

  async artifactRoot(id: bigint): Promise<Hex> {
    return (await this.inft.call('artifact', id)).artifactRoot;
  }

  /** The key sealed for the token's owner. @throws FFEError `key` if the token moved without it. */
  async sealedKey(token: TokenView): Promise<Uint8Array> {
    if (token.keyStale) {
      throw new FFEError(
        'key',
        `token ${token.id} moved without its key`,
        'ask its seller to re-seal the key: ffe transfer',
      );
    }
    const logs: DecodedLog<CoOwnedINFTEvents['PublishedSealedKey']>[] = await this.inft.logs(
      'PublishedSealedKey',
      [token.owner, token.id],
    );
    for (const { args } of logs.reverse()) {
      const [key, second] = args._sealedKeys;
      if (key === undefined || second !== undefined) continue;
      const bytes = fromHex(key);
      if (toHex(keccak256(bytes)) === token.sealedKeyHash) return bytes;
    }
    throw new FFEError(
      'corrupt',
      `token ${token.id}: the published key is not the one that the chain names`,
      "the chain's endpoint hides logs: use another one",
    );
  }
}
