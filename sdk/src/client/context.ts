// What every call of the client stands on: the network, the chain, the storage, the account.
import { JsonRpcProvider, Network as EthersNetwork } from 'ethers';
import { fromUtf8, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { exchange } from '../base/http.js';
import { Fields, parseJson, type Json } from '../base/json.js';
import { chainError } from '../chain/errors.js';
import { Sessions } from '../chain/sessions.js';
import { Account } from '../chain/wallet.js';
import { sealBlob, type BlobContext, type Progress, type Source } from '../session/blob.js';
import { Storage } from '../storage/client.js';
import type { Spool, SpoolWriter } from '../storage/spool.js';
import { parseNetwork, type Network } from './network.js';
import type { Surroundings } from './surroundings.js';
import type { CallOptions, FFEOptions } from './types.js';

interface Parts {
  network: Network;
  provider: JsonRpcProvider;
  sessions: Sessions;
  storage: Storage;
}

export const plural = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;
export const short = (hash: Hex): string => `${hash.slice(0, 10)}…`;

/** The number of a session. @throws FFEError `usage` */
export function sessionNumber(id: bigint | number | string): bigint {
  try {
    const number = BigInt(id);
    if (number >= 0n) return number;
  } catch {
    // not a number
  }
  throw new FFEError('usage', `"${String(id)}" is not a session's number`);
}

/** Tells a caller of steps. */
export const steps =
  ({ onProgress }: CallOptions) =>
  (verb: string, text: string): void =>
    onProgress?.({ verb, text });

/** Tells a caller of counts, under one verb. */
export function counting({ onProgress, signal }: CallOptions, verb: string): Limits {
  const progress = (done: number, total: number): void => onProgress?.({ verb, done, total });
  return { progress, signal };
}

interface Limits {
  progress: Progress;
  signal: AbortSignal | undefined;
}

/** Asks the endpoint for its chain, with a limit of time, since ethers would ask for ever. */
async function openProvider(network: Network): Promise<JsonRpcProvider> {
  const { rpcUrl } = network;
  const hint = 'check rpcUrl in the network file, and the connection; then call again';
  const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}';
  const { bytes } = await exchange(rpcUrl, { body, hint });
  let found: number;
  try {
    found = Number(new Fields(parseJson(fromUtf8(bytes, rpcUrl), rpcUrl), rpcUrl).string('result'));
  } catch (cause) {
    throw new FFEError('network', `${rpcUrl} is no endpoint of a chain`, hint, { cause });
  }
  if (found !== network.chainId) {
    throw new FFEError(
      'network',
      `${network.rpcUrl} is chain ${found}, not ${network.chainId}`,
      'check rpcUrl in the network file',
      { reason: 'WrongChain' },
    );
  }
  const staticNetwork = EthersNetwork.from(network.chainId);
  return new JsonRpcProvider(network.rpcUrl, staticNetwork, { staticNetwork, cacheTimeout: -1 });
}

export class Context {
  private ready: Promise<Parts> | undefined;
  private wallet: Promise<Account> | undefined;

  constructor(
    readonly options: FFEOptions,
    readonly surroundings: Surroundings,
  ) {}

  parts(): Promise<Parts> {
    this.ready ??= this.connect().catch((error: unknown) => {
      this.ready = undefined; // so that a later call tries again
      throw error;
    });
    return this.ready;
  }

  private async connect(): Promise<Parts> {
    const given = this.options.network;
    const network =
      typeof given === 'string'
        ? await this.surroundings.findNetwork(given)
        : parseNetwork({ ...given } as unknown as Json, 'network');
    const provider = await openProvider(network);
    return {
      network,
      provider,
      sessions: new Sessions(network, provider),
      storage: new Storage(network, provider),
    };
  }

  async account(): Promise<Account> {
    const { signer } = this.options;
    if (signer === undefined) {
      throw new FFEError('key', 'this call signs or pays, and there is no wallet', 'pass signer');
    }
    const { provider, network } = await this.parts();
    this.wallet ??= Account.of(signer, provider, network.chainId).catch((error: unknown) => {
      this.wallet = undefined;
      throw error;
    });
    return this.wallet;
  }

  /** Encrypts into a spool. */
  async seal(
    writer: SpoolWriter,
    source: Source,
    sessionKey: Hex,
    context: BlobContext,
    account: Account,
    options: CallOptions,
  ): Promise<{ spool: Spool; dataHash: Hex }> {
    try {
      const { progress, signal } = counting(options, 'Encrypting');
      const info = await sealBlob(
        source,
        sessionKey,
        context,
        account.sign,
        (bytes) => writer.write(bytes),
        { progress, signal },
      );
      return { spool: await writer.finish(), dataHash: info.dataHash };
    } catch (error) {
      await writer.discard();
      throw error;
    }
  }

  /** Copies into a spool. */
  async spool(source: Source): Promise<Spool> {
    const writer = await this.surroundings.newSpool();
    for await (const bytes of source.stream()) await writer.write(bytes);
    return writer.finish();
  }

  /** The time that the chain's next deadline is judged by, in unix seconds, and its block's gas. */
  async latestBlock(): Promise<{ timestamp: number; gasLimit: bigint }> {
    const { provider } = await this.parts();
    const block = await provider.getBlock('latest').catch((error: unknown) => {
      throw chainError(error, 'eth_getBlockByNumber');
    });
    if (block === null) throw new FFEError('network', "the chain's endpoint has no latest block");
    return block;
  }
}
