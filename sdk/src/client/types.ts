// What the client's calls take and give.
import type { Hex } from '../base/bytes.js';
import type { Currency } from '../chain/erc20.js';
import type {
  FinalRecord,
  OpenedSession,
  SessionSubmission,
  SessionView,
  SlashRecord,
} from '../chain/sessions.js';
import type { WalletLike } from '../chain/wallet.js';
import type { ContributorVerdict, ResultCertificate } from '../session/certificates.js';
import type { Recipe } from '../session/recipe.js';
import type { GateReport, ReportCheck, TrainingReport } from '../session/reports.js';
import type { GatePolicy } from '../session/terms.js';
import type { Policy } from '../tee/policy.js';
import type { Network } from './network.js';
import type { DataCheck } from './rows.js';

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

/** Key that a model's key is sealed to. `secp256k1`: the account's own; the wallet must offer ECDH.
 * `x25519`: derived from two signatures of the wallet. */
export type OwnerKeyKind = 'secp256k1' | 'x25519';

export interface SubmitOptions extends CallOptions {
  /** Default: `secp256k1` where the wallet can, as the C++ client does, else `x25519`. */
  ownerKey?: OwnerKeyKind;
  /** The contributor knows that a 0G Compute provider will train on these rows and can read them.
   * Needed where the session's recipe has trainer `0g-compute` ({@link whoSeesRows}). */
  acceptProviderSeesData?: boolean;
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

export interface KeyRequestOptions extends CallOptions {
  /** How long the seller has. Default: a week. */
  validSeconds?: number;
  /** As in {@link SubmitOptions}. */
  ownerKey?: OwnerKeyKind;
}

export interface TransferOptions extends CallOptions {
  /** Move the token alone: its key becomes stale. */
  withoutKey?: boolean;
}
