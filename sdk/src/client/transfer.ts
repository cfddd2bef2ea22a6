// Moving a token: with its key, which an enclave seals anew for the buyer, or alone.
import type { TransactionReceipt } from 'ethers';
import { concat, fromHex, toAddress, toHex, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, type Json } from '../base/json.js';
import type { OpenedSession } from '../chain/sessions.js';
import { randomBytes } from '../crypto/hash.js';
import { hpkeSender } from '../crypto/hpke.js';
import {
  accessMessage,
  checkKeyRequest,
  keyRequestFromJson,
  ownershipMessage,
  transferProof,
  type KeyRequest,
  type TokenData,
} from '../session/key-request.js';
import { ownerKeyHash, transferInfo } from '../session/owner-key.js';
import { recoverMessage, typedMessage } from '../session/typed-data.js';
import { short, steps, type Context } from './context.js';
import { modelKey } from './download.js';
import { EnclaveService, verifyEnclave, type EnclaveVerification } from './enclave.js';
import { ownerKeyOf } from './owner-key.js';
import type { CallOptions, KeyRequestOptions, TransferOptions } from './types.js';

const WEEK = 7 * 86_400;
const TOKENS_PER_SESSION = 1000n;
// The enclave fetches the artifact before it answers.
const RESEAL_TIMEOUT = 600_000;

async function tokenData(
  context: Context,
  tokenId: bigint,
): Promise<{ data: TokenData; opened: OpenedSession }> {
  const { network, sessions } = await context.parts();
  const { inft } = sessions;
  const artifact = await inft.call('artifactOf', tokenId);
  const opened = await sessions.opened(tokenId / TOKENS_PER_SESSION);
  if (artifact.sessionHash !== opened.sessionHash) {
    throw new FFEError('corrupt', `token ${tokenId} and its session contradict each other`);
  }
  const { artifactRoot } = artifact;
  const verifier = await inft.call('verifier');
  const data = { chainId: network.chainId, inft: inft.address, verifier, tokenId, artifactRoot };
  return { data, opened };
}

/** See `FFE.requestKey`. */
export async function requestKey(
  context: Context,
  tokenId: bigint,
  options: KeyRequestOptions,
): Promise<KeyRequest> {
  const account = await context.account();
  const { data, opened } = await tokenData(context, tokenId);
  const key = toHex(await ownerKeyOf(context, opened, account, options.ownerKey));
  const deadline = (await context.latestBlock()).timestamp + (options.validSeconds ?? WEEK);
  const salt = toHex(randomBytes(32));
  const terms = { receiver: account.address, key, deadline, salt };
  const signature = await account.sign(accessMessage(data, terms));
  return { tokenId: tokenId.toString(), ...terms, signature };
}

interface Sealer {
  service: EnclaveService;
  enclave: EnclaveVerification;
  key: Hex;
}

// The service's key is worth something only with the verified enclave's signature.
async function serviceKey(
  context: Context,
  service: EnclaveService,
  enclave: EnclaveVerification,
  signal?: AbortSignal,
): Promise<Hex> {
  const { domain } = (await context.parts()).sessions;
  const f = new Fields(await service.ask('/v1/keys/service', undefined, signal), 'service key');
  const key = f.hex('key', 32);
  const validUntil = f.integer('validUntil');
  const { enclaveId, signer } = enclave;
  const message = typedMessage(domain, 'ServiceKey', { enclaveId, key, validUntil });
  if (recoverMessage(message, f.hex('signature', 65)) !== signer) {
    throw new FFEError(
      'attestation',
      'the service key is not signed by the enclave',
      'somebody between you and the enclave swapped it: do not go on',
    );
  }
  if (validUntil <= (await context.latestBlock()).timestamp) {
    throw new FFEError(
      'attestation',
      "the service key's time is over",
      'wait until the operator renews its registration, or use another enclave',
    );
  }
  return key;
}

/** An enclave of the network that runs the session's code, verified in full. */
async function findSealer(context: Context, code: Hex, options: CallOptions): Promise<Sealer> {
  const { enclaveUrls } = (await context.parts()).network;
  const { signal } = options;
  let why = 'no enclave service is configured';
  for (const url of enclaveUrls) {
    const service = new EnclaveService(url);
    try {
      const f = new Fields(await service.ask('/v1/enclave', undefined, signal), url);
      const enclave = await verifyEnclave(context, f.hex('enclaveId', 32), undefined, signal);
      if (!enclave.accepted) why = `${url} is refused: look at verifyEnclave`;
      else if (enclave.codeHash !== code) why = `${url} runs other code than made the model`;
      else return { service, enclave, key: await serviceKey(context, service, enclave, signal) };
    } catch (error) {
      if (!(error instanceof FFEError) || error.code === 'interrupted') throw error;
      why = error.message;
    }
  }
  throw new FFEError(
    'attestation',
    `no enclave can seal the key: ${why}`,
    'check enclaveUrls in the network file; withoutKey moves the token alone',
  );
}

async function resealed(
  sealer: Sealer,
  data: TokenData,
  opened: OpenedSession,
  request: KeyRequest,
  modelsKey: Uint8Array,
  signal?: AbortSignal,
): Promise<{ salt: Hex; sealedKey: Hex; signature: Hex }> {
  const { enclaveId, signer } = sealer.enclave;
  const { chainId, inft, tokenId, artifactRoot } = data;
  const { receiver: buyer, key: buyerKey, deadline } = request;
  const buyerKeyHash = ownerKeyHash(fromHex(buyerKey));
  const info = transferInfo({ chainId, inft, tokenId, enclaveId, buyer, buyerKeyHash, deadline });
  const { sessionHash } = opened;
  const sender = await hpkeSender(fromHex(sealer.key), info);
  const aad = concat(fromHex(sessionHash), fromHex(artifactRoot));
  const sealed = toHex(concat(sender.enc, await sender.seal(modelsKey, aad)));
  const salt = toHex(randomBytes(32));
  const body: Json = {
    tokenId: tokenId.toString(),
    sessionHash,
    artifactRoot,
    buyer,
    buyerKey,
    deadline,
    salt,
    sealed,
  };
  const answer = new Fields(
    await sealer.service.ask('/v1/keys/reseal', body, signal, RESEAL_TIMEOUT),
    'resealed key',
  );
  const sealedKey = toHex(fromHex(answer.string('sealedKey'), 'resealed key'));
  const signature = answer.hex('signature', 65);
  const message = ownershipMessage(data, { ...request, salt }, sealedKey);
  if (recoverMessage(message, signature) === signer) return { salt, sealedKey, signature };
  throw new FFEError(
    'attestation',
    'the sealed key is not signed by the enclave for this token, buyer and deadline',
    'somebody between you and the enclave swapped it: do not go on',
  );
}

/** See `FFE.transfer`. */
export async function transfer(
  context: Context,
  tokenId: bigint,
  to: string | KeyRequest,
  options: TransferOptions,
): Promise<TransactionReceipt> {
  const { sessions } = await context.parts();
  const account = await context.account();
  const step = steps(options);
  const { signal } = options;
  const { inft } = sessions;
  const token = await sessions.token(tokenId);
  if (token.owner !== account.address) {
    throw new FFEError(
      'key',
      `${account.address} does not own token ${tokenId}`,
      `its owner is ${token.owner}`,
    );
  }
  if (options.withoutKey === true) {
    const receiver = toAddress(typeof to === 'string' ? to : to.receiver, 'receiver');
    const data = inft.encode('transferFrom', [account.address, receiver, tokenId]);
    return account.send('transferring', inft.address, data, 0n, signal);
  }
  if (typeof to === 'string') {
    throw new FFEError(
      'usage',
      "to seal the model's key for its buyer takes the buyer's key request",
      'the buyer makes one with requestKey; withoutKey: true moves the token alone, and its new ' +
        'owner cannot open the model',
    );
  }
  const { data, opened } = await tokenData(context, tokenId);
  const request = keyRequestFromJson({ ...to });
  checkKeyRequest(request, data, (await context.latestBlock()).timestamp);
  const sealer = await findSealer(context, opened.terms.codeHash, options);
  step('Verifying', `enclave ${short(sealer.enclave.enclaveId)}`);
  const modelsKey = await modelKey(context, opened, token, account);
  try {
    const proof = await resealed(sealer, data, opened, request, modelsKey, signal);
    step('Sealing', `the model's key for ${request.receiver}`);
    const call = inft.encode('iTransfer', [
      request.receiver,
      tokenId,
      [transferProof(data, request, proof)],
    ]);
    const receipt = await account.send('transferring', inft.address, call, 0n, signal);
    step('Moving', `token ${tokenId} to ${request.receiver}`);
    return receipt;
  } finally {
    modelsKey.fill(0);
  }
}
