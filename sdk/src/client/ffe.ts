// The client: open a session, submit to it, take the model home.
import type { TransactionReceipt } from 'ethers';
import { toAddress, toHash, type Hex } from '../base/bytes.js';
import type { Json } from '../base/json.js';
import type { Claimable } from '../chain/sessions.js';
import type { KeyRequest } from '../session/key-request.js';
import type { SessionTerms } from '../session/terms.js';
import { Context, sessionNumber } from './context.js';
import { download } from './download.js';
import { verifyEnclave, type EnclaveVerification } from './enclave.js';
import { enclaveStatus, status, watch } from './follow.js';
import type { Network } from './network.js';
import { openSession } from './open.js';
import { checkRows, type DataCheck } from './rows.js';
import { submit } from './submit.js';
import { browserSurroundings, type Surroundings } from './surroundings.js';
import { requestKey, transfer } from './transfer.js';
import type {
  CallOptions,
  FFEOptions,
  Input,
  KeyRequestOptions,
  Model,
  OpenRequest,
  OpenResult,
  Status,
  SubmitOptions,
  SubmitResult,
  TransferOptions,
  WatchEvent,
} from './types.js';

/**
 * One account on one network.
 *
 * Nothing is encrypted to an enclave that was not verified. Keys stay in the wallet. A call that
 * failed may be made again: {@link submit} then continues with the blob that it encrypted, and pays
 * for storage once.
 */
export class FFE {
  private readonly context: Context;

  constructor(options: FFEOptions) {
    this.context = new Context(options, this.surroundings());
  }

  /** @internal What the Node layer replaces. */
  protected surroundings(): Surroundings {
    return browserSurroundings;
  }

  /** The network in use. */
  async network(): Promise<Network> {
    return (await this.context.parts()).network;
  }

  /** The wallet's account. */
  async address(): Promise<Hex> {
    return (await this.context.account()).address;
  }

  /** Reads every row. Needs no network. @throws FFEError `bad_input` "name:line:column: …". */
  async check(data: Input, options: CallOptions = {}): Promise<DataCheck> {
    const [source, name] = await this.context.surroundings.sourceOf(data);
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
    const id = toHash(enclaveId, 'enclave id');
    return verifyEnclave(this.context, id, terms, options.signal);
  }

  /** Encrypts and uploads the pool, uploads the sample, obtains the enclave's offer, opens. */
  async openSession(request: OpenRequest, options: CallOptions = {}): Promise<OpenResult> {
    return openSession(this.context, request, options);
  }

  /** Verifies the enclave, checks the rows and the account's funds, encrypts, uploads, commits with
   * the stake (after an ERC-20 approval of exactly that amount). A second call with other rows
   * replaces the blob. */
  async submit(
    sessionId: bigint | number | string,
    data: Input,
    options: SubmitOptions = {},
  ): Promise<SubmitResult> {
    return submit(this.context, sessionNumber(sessionId), data, options);
  }

  /** Takes the blob and the stake back, before the deadline. */
  async withdraw(
    sessionId: bigint | number | string,
    options: CallOptions = {},
  ): Promise<TransactionReceipt> {
    const id = sessionNumber(sessionId);
    const { coordinator } = (await this.context.parts()).sessions;
    const account = await this.context.account();
    const data = coordinator.encode('withdraw', [id]);
    return account.send('withdrawing', coordinator.address, data, 0n, options.signal);
  }

  /** Pays out what an ended session owes this account, and its credit, to `to` or itself. */
  async claim(
    sessionId: bigint | number | string,
    to?: string,
    options: CallOptions = {},
  ): Promise<TransactionReceipt> {
    const id = sessionNumber(sessionId);
    const receiver = to === undefined ? undefined : toAddress(to, 'receiver');
    const { coordinator } = (await this.context.parts()).sessions;
    const account = await this.context.account();
    const data = coordinator.encode('claim', [id, receiver ?? account.address]);
    return account.send('claiming', coordinator.address, data, 0n, options.signal);
  }

  /** What {@link claim} would pay. */
  async claimable(sessionId: bigint | number | string): Promise<Claimable> {
    const { sessions } = await this.context.parts();
    return sessions.claimable(sessionNumber(sessionId), await this.address());
  }

  /** Everything that the chain knows about a session. */
  async status(sessionId: bigint | number | string): Promise<Status> {
    return status(this.context, sessionNumber(sessionId));
  }

  /** The enclave service's own words about a session; undefined where none answers. */
  async enclaveStatus(sessionId: bigint | number | string): Promise<Json | undefined> {
    return enclaveStatus(this.context, sessionNumber(sessionId));
  }

  /** Yields whenever something changed, and ends with the session. `interval` in milliseconds. */
  async *watch(
    sessionId: bigint | number | string,
    options: { signal?: AbortSignal; interval?: number } = {},
  ): AsyncGenerator<WatchEvent, void, void> {
    yield* watch(this.context, sessionNumber(sessionId), options);
  }

  /** INFT → sealed key → adapter files. Verifies the result certificate and its signature, the seal
   * hash from the submissions, gate.json and its evidence, every storage segment, the artifact's
   * authentication tag, and the report inside.
   * @throws FFEError `key` if this account owns no token of the session, `session` while there is no
   * model. */
  async download(sessionId: bigint | number | string, options: CallOptions = {}): Promise<Model> {
    return download(this.context, sessionNumber(sessionId), options);
  }

  /** For a token's buyer: asks for its key. Gives a text in JSON to the seller, who passes it to
   * {@link transfer}. */
  async requestKey(
    tokenId: bigint | number | string,
    options: KeyRequestOptions = {},
  ): Promise<KeyRequest> {
    return requestKey(this.context, sessionNumber(tokenId), options);
  }

  /** Moves a token with its key: `to` is the buyer's key request. The key goes to a verified enclave
   * that runs the session's code, which seals it for the buyer; the contract checks both signatures.
   * With `withoutKey` an ERC-721 transfer to an address, after which the key is stale. A seller keeps
   * what it downloaded: a sale shares access.
   * @throws FFEError `key` if this account does not own the token or the request is not the buyer's,
   * `attestation` if no enclave can be trusted with the key. */
  async transfer(
    tokenId: bigint | number | string,
    to: string | KeyRequest,
    options: TransferOptions = {},
  ): Promise<TransactionReceipt> {
    return transfer(this.context, sessionNumber(tokenId), to, options);
  }
}
