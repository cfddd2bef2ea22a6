// The key that an account's model keys are sealed to.
import { FFEError } from '../base/errors.js';
import type { OpenedSession } from '../chain/sessions.js';
import type { Account } from '../chain/wallet.js';
import { deriveOwnerKey } from '../session/owner-key.js';
import type { Context } from './context.js';
import type { OwnerKeyKind } from './types.js';

/** The public key as the contract takes it: 65 bytes secp256k1 or 32 bytes X25519. */
export async function ownerKeyOf(
  context: Context,
  opened: OpenedSession,
  account: Account,
  kind?: OwnerKeyKind,
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
  const { domain } = (await context.parts()).sessions;
  const pair = await deriveOwnerKey(account.sign, domain, opened.sessionTag, account.address);
  return pair.publicKey;
}
