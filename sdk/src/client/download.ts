// Taking the joint model home, and verifying everything on the way.
import { toHex, zeroHash, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import type { FinalRecord, OpenedSession, TokenView } from '../chain/sessions.js';
import type { Account } from '../chain/wallet.js';
import { sha256 } from '../crypto/hash.js';
import { openArtifact } from '../session/artifact.js';
import type { ResultCertificate } from '../session/certificates.js';
import { deriveOwnerKey, openKeySecp256k1, openKeyX25519 } from '../session/owner-key.js';
import {
  checkReports,
  parseGateReport,
  parseTrainingReport,
  recompute,
  type ReportCheck,
  type TrainingReport,
} from '../session/reports.js';
import { readTar } from '../session/tar.js';
import { storageRoot } from '../storage/client.js';
import { memorySpool } from '../storage/spool.js';
import { counting, plural, steps, type Context } from './context.js';
import type { CallOptions, Model } from './types.js';

const MAX_REPORT = 256 << 20;
const MAX_ARTIFACT = 2 ** 32;

async function finalRecord(context: Context, opened: OpenedSession): Promise<FinalRecord> {
  const { sessions } = await context.parts();
  const final = await sessions.finalRecord(opened);
  if (final !== undefined && final.artifactRoot !== zeroHash) return final;
  const { state } = await sessions.view(opened.id);
  throw new FFEError(
    'session',
    `session ${opened.id} has no model (state: ${state})`,
    'look at its status',
  );
}

async function tokenOf(context: Context, id: bigint, address: Hex): Promise<TokenView> {
  const tokens = await (await context.parts()).sessions.tokensOf(id);
  const mine = tokens.find((token) => token.owner === address);
  if (mine !== undefined) return mine;
  throw new FFEError(
    'key',
    `${address} owns no token of session ${id}`,
    `only its ${plural(tokens.length, 'owner')} can open this model`,
  );
}

/** K, out of the key that is sealed for the token's owner. The caller wipes it. */
export async function modelKey(
  context: Context,
  opened: OpenedSession,
  token: TokenView,
  account: Account,
): Promise<Uint8Array> {
  const { sessions } = await context.parts();
  const sealed = await sessions.sealedKey(token);
  if (sealed.length === 80) {
    const { address, sign } = account;
    const pair = await deriveOwnerKey(sign, sessions.domain, opened.sessionTag, address);
    return openKeyX25519(sealed, pair, opened.sessionHash, address);
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

async function fetchFile(
  context: Context,
  root: Hex,
  limit: number,
  options: CallOptions,
): Promise<Uint8Array> {
  const { storage } = await context.parts();
  const { newSpool } = context.surroundings;
  const file = await storage.download(root, newSpool, limit, counting(options, 'Downloading'));
  try {
    return await file.slice(0, file.size);
  } finally {
    await file.discard();
  }
}

async function checkReport(
  files: ReadonlyMap<string, Uint8Array>,
  opened: OpenedSession,
  final: FinalRecord,
): Promise<{ weights: Uint8Array; report: TrainingReport }> {
  const weights = files.get('adapter_model.safetensors');
  const bytes = files.get('report.json');
  if (weights === undefined || bytes === undefined) {
    throw new FFEError('corrupt', 'the artifact lacks its weights or its report');
  }
  if ((await storageRoot(memorySpool(bytes))) !== final.reportRoot) {
    throw new FFEError('corrupt', 'the report inside the artifact is not the certified one');
  }
  const report = parseTrainingReport(new TextDecoder().decode(bytes));
  if (report.sessionHash !== opened.sessionHash) {
    throw new FFEError('corrupt', 'the report is of another session');
  }
  return { weights, report };
}

function recomputed(
  certificate: ResultCertificate,
  gateBytes: Uint8Array,
  report: TrainingReport,
): Pick<Model, 'gate' | 'checks'> {
  const gate = parseGateReport(new TextDecoder().decode(gateBytes));
  const checks: ReportCheck[] = [...checkReports(certificate, gate, report), ...recompute(gate)];
  const broken = checks.find((check) => !check.passed);
  if (broken === undefined) return { gate, checks };
  throw new FFEError(
    'corrupt',
    `the reports do not hold: ${broken.name}: ${broken.detail}`,
    'the enclave contradicts itself: do not use this model, and tell its operator',
  );
}

/** See `FFE.download`. */
export async function download(context: Context, id: bigint, options: CallOptions): Promise<Model> {
  const { sessions } = await context.parts();
  const account = await context.account();
  const step = steps(options);
  const opened = await sessions.opened(id);
  const final = await finalRecord(context, opened);
  const token = await tokenOf(context, id, account.address);
  if ((await sessions.artifactRoot(id)) !== final.artifactRoot) {
    throw new FFEError('corrupt', 'the token and the result name different artifacts');
  }
  step('Finding', `token ${token.id}`);
  const certificate = await sessions.result(opened, final);
  const key = await modelKey(context, opened, token, account);
  const { signal } = options;
  const gateBytes = await fetchFile(context, final.gateRoot, MAX_REPORT, {
    ...(signal && { signal }),
  });
  const artifact = await fetchFile(context, final.artifactRoot, MAX_ARTIFACT, options);
  step('Downloading', `${artifact.length} bytes, every segment proven`);
  const tar = openArtifact(key, artifact);
  key.fill(0);
  const files = readTar(tar);
  step('Decrypting', plural(files.size, 'file'));
  const { weights, report } = await checkReport(files, opened, final);
  const { gate, checks } = recomputed(certificate, gateBytes, report);
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
