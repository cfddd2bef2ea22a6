// Submitting rows: the enclave verified, the rows checked, encrypted, stored, committed with the stake.
import { toHash, toHex, zeroAddress, zeroHash, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { allow, amountText, currencyOf, requireFunds } from '../chain/erc20.js';
import { revertHint } from '../chain/errors.js';
import type { OpenedSession } from '../chain/sessions.js';
import type { Account } from '../chain/wallet.js';
import { blobRole, hashSource, type Source } from '../session/blob.js';
import { ownerKeyHash } from '../session/owner-key.js';
import { parseRecipe, whoSeesRows } from '../session/recipe.js';
import type { SessionTerms } from '../session/terms.js';
import { storedFile, type StoredFile } from '../storage/file.js';
import type { Spool } from '../storage/spool.js';
import { counting, plural, short, steps, type Context } from './context.js';
import {
  contributionLimit,
  requireEnclave,
  verifyEnclave,
  type EnclaveVerification,
} from './enclave.js';
import { ownerKeyOf } from './owner-key.js';
import { checkRows } from './rows.js';
import type { CallOptions, Input, SubmitOptions, SubmitResult } from './types.js';

/** @throws FFEError `session` unless this account may submit now. */
async function openForSubmission(
  context: Context,
  id: bigint,
  address: Hex,
): Promise<OpenedSession> {
  const { sessions } = await context.parts();
  const refuse = (message: string, hint: string, reason: string): never => {
    throw new FFEError('session', message, hint, { reason });
  };
  const opened = await sessions.opened(id);
  if (!opened.terms.participants.includes(address)) {
    const hint = revertHint('NotParticipant');
    refuse(`${address} is not on the session's list`, hint, 'NotParticipant');
  }
  const { state } = await sessions.view(id);
  if (state !== 'open') {
    refuse(`session ${id} is ${state}`, 'nothing can be submitted any more', 'WrongState');
  }
  const { submitDeadline } = opened.terms;
  if ((await context.latestBlock()).timestamp >= submitDeadline) {
    const until = new Date(submitDeadline * 1000).toISOString();
    const hint = revertHint('SubmitClosed');
    refuse(`session ${id} took submissions until ${until}`, hint, 'SubmitClosed');
  }
  return opened;
}

interface Sealed {
  blob: Spool;
  stored: StoredFile;
  dataHash: Hex;
}

/** The blob of an earlier call with the same rows and key, or a new one. */
async function encrypted(
  context: Context,
  opened: OpenedSession,
  source: Source,
  ownerKey: Uint8Array,
  account: Account,
  options: CallOptions,
): Promise<Sealed> {
  const { shelf } = context.surroundings;
  const keyHash = ownerKeyHash(ownerKey);
  const plain = (hex: Hex): string => hex.slice(2);
  const name = [opened.sessionHash, account.address, keyHash].map(plain).join('-');
  const kept = await shelf.find(name);
  if (kept !== undefined) {
    const { hash: dataHash } = await hashSource(source, options.signal);
    const { blob, note } = kept;
    if (note.dataHash === dataHash) {
      const stored = await storedFile(blob);
      if (stored.root === note.root) return { blob, stored, dataHash };
    }
    await blob.discard();
  }
  const blobContext = {
    role: blobRole.data,
    domain: (await context.parts()).sessions.domain,
    binding: opened.sessionHash,
    contributor: account.address,
    enclaveId: opened.terms.enclaveId,
    ownerKeyHash: keyHash,
  };
  const { spool, dataHash } = await context.seal(
    await shelf.create(name),
    source,
    opened.sessionKey,
    blobContext,
    account,
    options,
  );
  steps(options)('Encrypting', `${spool.size} bytes to the enclave's session key`);
  const stored = await storedFile(spool);
  const blob = await shelf.keep(name, spool, { dataHash, root: stored.root });
  return { blob, stored, dataHash };
}

function tellVerified(verified: EnclaveVerification, { enclaveId }: SessionTerms): string {
  return (
    `enclave ${short(enclaveId)}  TCB ${verified.quote.tcbStatus}  code ` +
    short(verified.codeHash) +
    (verified.simulated ? '  (simulated: no protection)' : '')
  );
}

/** See `FFE.submit`. */
export async function submit(
  context: Context,
  id: bigint,
  data: Input,
  options: SubmitOptions,
): Promise<SubmitResult> {
  const { sessions, storage, provider } = await context.parts();
  const account = await context.account();
  const step = steps(options);
  const { signal } = options;
  const [source, name] = await context.surroundings.sourceOf(data);
  const opened = await openForSubmission(context, id, account.address);
  const { terms } = opened;

  const verified = await verifyEnclave(context, terms.enclaveId, terms, signal);
  requireEnclave(verified);
  step('Verifying', tellVerified(verified, terms));
  // Terms that let the rows leave the enclave are said before anything is encrypted.
  const who = whoSeesRows(parseRecipe(opened.recipeText));
  if (who !== '') {
    step('Warning', who);
    if (options.acceptProviderSeesData !== true) {
      throw new FFEError(
        'usage',
        `${who}; nothing was encrypted or sent`,
        'if that is right for these rows, say so: acceptProviderSeesData: true',
      );
    }
  }
  const checked = await checkRows(source, name, signal);
  step('Checking', `${name}  ${plural(checked.rows, 'row')}`);
  const limit = await contributionLimit(context, terms, signal);
  if (limit !== undefined && checked.bytes > limit) {
    throw new FFEError(
      'bad_input',
      `${name} has ${checked.bytes} bytes; this enclave takes ${limit} from each contributor to ` +
        'this session',
      'drop rows: more would be left out, and you with them',
    );
  }

  const { stake, stakeToken } = terms;
  const currency = await currencyOf(provider, stakeToken);
  const earlier = await sessions.contribution(opened.id, account.address);
  const replaced = earlier.blobRoot !== zeroHash;
  if (!replaced) {
    await requireFunds(provider, account, currency, stake);
    step('Staking', amountText(stake, currency));
  }

  const ownerKey = await ownerKeyOf(context, opened, account, options.ownerKey);
  const sealed = await encrypted(context, opened, source, ownerKey, account, options);
  const { blob, stored, dataHash } = sealed;
  const blobRoot = await storage.upload(blob, account, counting(options, 'Uploading'), stored);
  step('Uploading', `0G Storage ${short(blobRoot)}`);

  const { coordinator } = sessions;
  const native = stakeToken === zeroAddress;
  let approvalTxHash: Hex | undefined;
  if (!replaced && !native) {
    approvalTxHash = await allow(provider, account, stakeToken, coordinator.address, stake, signal);
  }
  if (approvalTxHash !== undefined) {
    const amount = amountText(stake, currency);
    step('Approving', `the coordinator to take ${amount}  tx ${short(approvalTxHash)}`);
  }
  const receipt = await account.send(
    'submitting',
    coordinator.address,
    coordinator.encode('submit', [opened.id, blobRoot, toHex(ownerKey)]),
    native && !replaced ? stake : 0n,
    signal,
  );
  await blob.discard();
  const txHash = toHash(receipt.hash);
  step('Committing', `session ${opened.id}  tx ${short(txHash)}  block ${receipt.blockNumber}`);
  return {
    data: checked,
    blobRoot,
    dataHash,
    txHash,
    currency,
    stake,
    ...(approvalTxHash !== undefined && { approvalTxHash }),
    replaced,
  };
}
