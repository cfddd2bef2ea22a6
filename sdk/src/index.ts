/**
 * `@0g/ffe`: federated fine-tuning on 0G. In Node the package's entry adds files, see `src/node`.
 * @packageDocumentation
 */
export {
  checkAborted,
  exitStatus,
  FFEError,
  type ErrorCode,
  type FFEErrorOptions,
} from './base/errors.js';
export { fromHex, toHex, type Hex } from './base/bytes.js';
export { canonicalJson, parseJson, type Json, type JsonLimits } from './base/json.js';
export type { SharedSecret } from './crypto/ecies.js';
export { x25519KeyPair, type X25519KeyPair } from './crypto/hpke.js';
export {
  deriveArtifactKey,
  openArtifact,
  sealArtifact,
  type ArtifactKey,
} from './session/artifact.js';
export {
  blobRole,
  blobSize,
  hashSource,
  memorySource,
  openBlob,
  sealBlob,
  type BlobContext,
  type BlobInfo,
  type BlobOptions,
  type BlobRole,
  type Progress,
  type SignTyped,
  type Sink,
  type Source,
} from './session/blob.js';
export {
  certificateFromJson,
  certificateSigner,
  certificateToJson,
  explainReason,
  reasonName,
  verdictName,
  type AbortCertificate,
  type AbortReasonName,
  type Certificate,
  type ContributorVerdict,
  type Owner,
  type ReasonName,
  type RejectionCertificate,
  type ResultCertificate,
  type SignedCertificate,
  type VerdictName,
} from './session/certificates.js';
export {
  checkOwnerKey,
  deriveOwnerKey,
  openKeySecp256k1,
  openKeyX25519,
  ownerKeyHash,
  sealKey,
  transferInfo,
  type Transfer,
} from './session/owner-key.js';
export {
  defaultRecipe,
  leavesEnclave,
  manifestText,
  parseManifest,
  parseRecipe,
  providerTrains,
  recipeText,
  whoSeesRows,
  type BaseModelManifest,
  type ComputeProvider,
  type ModelFile,
  type Recipe,
} from './session/recipe.js';
export {
  checkReports,
  parseGateReport,
  parseTrainingReport,
  recompute,
  type GateFinding,
  type GateReport,
  type GateRun,
  type PoolFitness,
  type ReportCheck,
  type RowCounts,
  type TrainingReport,
} from './session/reports.js';
export { keyRequestFromJson, type KeyRequest } from './session/key-request.js';
export { readTar, writeTar } from './session/tar.js';
export {
  burnAddress,
  checkTerms,
  defaultGatePolicy,
  enclaveId,
  encodeTerms,
  sealHash,
  sessionHash,
  sessionTag,
  termsFromJson,
  termsHash,
  termsToJson,
  textHash,
  type Domain,
  type GatePolicy,
  type SessionTerms,
} from './session/terms.js';
export {
  digestOf,
  recover,
  typedMessage,
  type Message,
  type MessageName,
  type TypedField,
  type TypedMessage,
} from './session/typed-data.js';
export type { Check } from './tee/checklist.js';
export { collateralFromJson, type Collateral } from './tee/collateral.js';
export type { EventLog } from './tee/event-log.js';
export { evidenceFromJson, type Evidence } from './tee/evidence.js';
export type { Policy } from './tee/policy.js';
export type { RollbackGuard } from './tee/rollback.js';
export {
  parseQuote,
  platformHash,
  workloadId,
  type QeReport,
  type Quote,
  type TdReport,
} from './tee/quote.js';
export type { TcbStatus } from './tee/tcb.js';
export {
  developmentRoot,
  intelRoot,
  requireVerified,
  verifyQuote,
  type TrustAnchor,
  type Verification,
} from './tee/verify.js';
export { EnclaveService, requireEnclave, type EnclaveVerification } from './client/enclave.js';
export { FFE } from './client/ffe.js';
export type {
  CallOptions,
  FFEOptions,
  Input,
  KeyRequestOptions,
  Model,
  OpenRequest,
  OpenResult,
  OwnerKeyKind,
  ProgressEvent,
  Status,
  SubmitOptions,
  SubmitResult,
  TransferOptions,
  WatchEvent,
} from './client/types.js';
export { parseNetwork, type Network } from './client/network.js';
export type { DataCheck } from './client/rows.js';
export type {
  Claimable,
  EnclaveState,
  FinalRecord,
  OpenedSession,
  SessionState,
  SessionSubmission,
  SessionView,
  SlashRecord,
} from './chain/sessions.js';
export { amountText, type Currency } from './chain/erc20.js';
export type { ViemWallet, WalletLike } from './chain/wallet.js';
