// ERC-20 stakes, and amounts with the name of what they are amounts of.
import { formatUnits, Interface, type Provider } from 'ethers';
import { zeroAddress, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { chainError } from './errors.js';
import type { Account } from './wallet.js';

/** What a price is in: the chain's own token, or an ERC-20. */
export interface Currency {
  /** Zero: the chain's own. */
  token: Hex;
  symbol: string;
  decimals: number;
}

const MOST_DECIMALS = 77n; // 10^77 is the largest power of ten in 256 bits
const nativeCurrency: Currency = { token: zeroAddress, symbol: '0G', decimals: 18 };

const erc20 = new Interface([
  'function symbol() view returns (string)',
  'function decimals() view returns (uint256)',
  'function balanceOf(address) view returns (uint256)',
  'function allowance(address, address) view returns (uint256)',
  'function approve(address, uint256)',
]);

const isNative = ({ token }: Currency): boolean => token === zeroAddress;

const units = (amount: bigint, decimals: number): string =>
  formatUnits(amount, decimals).replace(/\.0$/, '');

/** "0.5 0G"; "5 USDC (ERC-20 0xa0b8…)": a symbol is the token's own claim, its address is not. */
export function amountText(amount: bigint, currency: Currency): string {
  const out = `${units(amount, currency.decimals)} ${currency.symbol}`;
  return isNative(currency) ? out : `${out} (ERC-20 ${currency.token})`;
}

async function read(
  provider: Provider,
  token: Hex,
  name: string,
  args: unknown[] = [],
): Promise<unknown> {
  try {
    const data = erc20.encodeFunctionData(name, args);
    return erc20.decodeFunctionResult(name, await provider.call({ to: token, data }))[0];
  } catch (error) {
    throw chainError(error, `${name} of token ${token}`);
  }
}

// Tokens are anybody's code: an answer may be missing, malformed or made to confuse its reader.
async function claimed<T>(
  provider: Provider,
  token: Hex,
  name: string,
  good: (value: unknown) => T | undefined,
  otherwise: T,
): Promise<T> {
  try {
    return good(await read(provider, token, name)) ?? otherwise;
  } catch (error) {
    if (error instanceof FFEError && error.code === 'network') throw error;
    return otherwise;
  }
}

/** Asks the token. A symbol that is missing, longer than 16 characters or not plain ASCII is shown
 * as "tokens"; decimals that are missing or above 77 count as 0.
 * @throws FFEError `chain` if there is no contract at `token`. */
export async function currencyOf(provider: Provider, token: Hex): Promise<Currency> {
  if (token === zeroAddress) return nativeCurrency;
  const code = await provider.getCode(token).catch((error: unknown) => {
    throw chainError(error, 'eth_getCode');
  });
  if (code === '0x') {
    throw new FFEError('chain', `there is no token at ${token}`, 'check the network');
  }
  const symbol = (text: unknown): string | undefined =>
    typeof text === 'string' && /^[!-~]{1,16}$/.test(text) ? text : undefined;
  const decimals = (n: unknown): number | undefined =>
    typeof n === 'bigint' && n <= MOST_DECIMALS ? Number(n) : undefined;
  return {
    token,
    symbol: await claimed(provider, token, 'symbol', symbol, 'tokens'),
    decimals: await claimed(provider, token, 'decimals', decimals, 0),
  };
}

/** Told before anything is encrypted or uploaded, which costs time and gas.
 * @throws FFEError `chain`, reason `InsufficientFunds`. */
export async function requireFunds(
  provider: Provider,
  account: Account,
  currency: Currency,
  amount: bigint,
): Promise<void> {
  const balance = isNative(currency)
    ? await account.balance()
    : ((await read(provider, currency.token, 'balanceOf', [account.address])) as bigint);
  if (balance >= amount) return;
  throw new FFEError(
    'chain',
    `the stake is ${amountText(amount, currency)}; ${account.address} has ` +
      units(balance, currency.decimals),
    'send the rest to this account, then call again: nothing was lost',
    { reason: 'InsufficientFunds' },
  );
}

/** Lets `spender` take exactly `amount` of the account's tokens, unless it may take as much already;
 * gives the transaction's hash where one was needed. Old tokens refuse to change an allowance that
 * is not zero: it is set to zero first.
 * @throws FFEError `chain` if the token does not comply. */
export async function allow(
  provider: Provider,
  account: Account,
  token: Hex,
  spender: Hex,
  amount: bigint,
  signal?: AbortSignal,
): Promise<Hex | undefined> {
  const allowance = async (): Promise<bigint> =>
    (await read(provider, token, 'allowance', [account.address, spender])) as bigint;
  const approve = async (n: bigint): Promise<Hex> => {
    const data = erc20.encodeFunctionData('approve', [spender, n]) as Hex;
    return (await account.send('approving the stake', token, data, 0n, signal)).hash as Hex;
  };
  const now = await allowance();
  if (now >= amount) return undefined;
  if (now !== 0n) await approve(0n);
  const hash = await approve(amount);
  // Some tokens say no by returning false, which no receipt shows.
  if ((await allowance()) >= amount) return hash;
  throw new FFEError(
    'chain',
    `${token} did not take the approval`,
    'look at the token: it may not let this account pay',
  );
}
