// Moving a token.
import { toAddress } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import type { TransactionReceipt } from 'ethers';
import type { Context } from './context.js';
import type { TransferOptions } from './types.js';

/** See `FFE.transfer`. */
export async function transfer(
  context: Context,
  id: bigint,
  to: string,
  options: TransferOptions,
): Promise<TransactionReceipt> {
  const { sessions } = await context.parts();
  const account = await context.account();
  const receiver = toAddress(to, 'receiver');
  const token = await sessions.token(id);
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
  const { inft } = sessions;
  const data = inft.encode('transferFrom', [account.address, receiver, token.id]);
  return account.send('transferring', inft.address, data, 0n, options.signal);
}
