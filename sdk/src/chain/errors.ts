// What wallets and endpoints throw, as an FFEError with the contract's own name where there is one.
import { Interface } from 'ethers';
import { FFEError } from '../base/errors.js';
import { CoOwnedINFTAbi } from './abi/CoOwnedINFT.js';
import { DcapVerifierAbi } from './abi/DcapVerifier.js';
import { ERC7857VerifierAbi } from './abi/ERC7857Verifier.js';
import { EnclaveRegistryAbi } from './abi/EnclaveRegistry.js';
import { FFECoordinatorAbi } from './abi/FFECoordinator.js';

const HINTS: Readonly<Record<string, string>> = {
  SubmitClosed: 'the deadline has passed: nothing can be submitted or withdrawn any more',
  NotParticipant: 'ask the opener to put this account on the list of a new session',
  WrongState: "look at the session's state: ffe session status",
  UnknownSession: "check the session's number and the network",
  BondTooSmall: 'the operator must deposit a larger bond before this session can open',
  EnclaveNotActive: "the enclave's registration lapsed or was retired: choose another",
  EnclaveRevoked: "the enclave's platform was revoked: nothing it signs is accepted",
  WrongValue: 'send exactly the stake (or the fee) that the terms name',
  QuorumNotReached: 'wait for more submissions, or expire the session after its window',
  AlreadySlashed: 'somebody else brought the certificate already: nothing is left to do',
  NothingToClaim: 'everything owed to this account was paid out already',
  SessionTagUsed: 'open with another salt',
};

/** What to do about a coordinator's error of this name; empty if nothing is known. */
export const revertHint = (name: string): string => HINTS[name] ?? '';

let known: Interface | undefined;
function errorsOf(data: string): { name: string; text: string } | undefined {
  known ??= new Interface(
    [FFECoordinatorAbi, EnclaveRegistryAbi, CoOwnedINFTAbi, DcapVerifierAbi, ERC7857VerifierAbi]
      .flat()
      .filter((line) => line.startsWith('error ')),
  );
  const parsed = known.parseError(data);
  if (parsed === null) return undefined;
  const args = parsed.fragment.inputs.map(
    (input, i) => `${input.name === '' ? '' : `${input.name}=`}${String(parsed.args[i])}`,
  );
  return { name: parsed.name, text: `${parsed.name}(${args.join(', ')})` };
}

// An error and everything it wraps: ethers nests in `error` and `info`, viem in `cause`.
function* layers(error: unknown, depth = 0): Generator<Record<string, unknown>> {
  if (typeof error !== 'object' || error === null || depth > 8) return;
  const layer = error as Record<string, unknown>;
  yield layer;
  for (const key of ['cause', 'error', 'info', 'data']) yield* layers(layer[key], depth + 1);
}

const textOf = (error: unknown): string => {
  const layer = (error ?? {}) as { shortMessage?: unknown; message?: unknown };
  return String(layer.shortMessage ?? layer.message ?? error);
};

const ETHERS_NETWORK = ['NETWORK_ERROR', 'TIMEOUT', 'SERVER_ERROR'];

/** `doing`: what failed, for the message. */
export function chainError(error: unknown, doing: string): FFEError {
  if (error instanceof FFEError) return error;
  const all = [...layers(error)];
  const text = all.map((layer) => textOf(layer)).join(' · ');
  const codes = all.map((layer) => layer.code);
  if (
    codes.some((code) => code === 'ACTION_REJECTED' || code === 4001) ||
    all.some((layer) => layer.name === 'UserRejectedRequestError')
  ) {
    return new FFEError(
      'key',
      `${doing}: the wallet's owner rejected the request`,
      'nothing was sent; call again and approve it in the wallet',
      { reason: 'SignatureRejected', cause: error },
    );
  }
  for (const { data } of all) {
    const revert = typeof data === 'string' && data.length >= 10 ? errorsOf(data) : undefined;
    if (revert !== undefined) {
      return new FFEError('chain', `${doing}: ${revert.text}`, revertHint(revert.name), {
        reason: revert.name,
        cause: error,
      });
    }
  }
  if (codes.includes('INSUFFICIENT_FUNDS') || /insufficient funds/i.test(text)) {
    return insufficientFunds(doing, error);
  }
  if (
    codes.some((code) => ETHERS_NETWORK.includes(String(code))) ||
    /fetch failed|Failed to fetch|ECONNREFUSED|ECONNRESET|HTTP request failed/i.test(text)
  ) {
    return new FFEError(
      'network',
      `${doing}: the chain's endpoint does not answer: ${textOf(error)}`,
      'check rpcUrl in the network file, and the connection; then call again',
      { cause: error },
    );
  }
  return new FFEError('chain', `${doing}: ${textOf(error)}`, '', { cause: error });
}

export const insufficientFunds = (doing: string, cause?: unknown): FFEError =>
  new FFEError(
    'chain',
    `${doing}: the account does not hold enough for the value and the gas`,
    'send tokens to it, then call again: nothing was lost',
    { reason: 'InsufficientFunds', cause },
  );
