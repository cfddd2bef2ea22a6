// Wallets: an ethers Signer, or a viem WalletClient made into one. Private keys stay inside.
import {
  AbstractSigner,
  type Provider,
  type Signer,
  type TransactionReceipt,
  type TransactionRequest,
  type TransactionResponse,
  type TypedDataDomain,
  type TypedDataField,
} from 'ethers';
import { fromHex, toAddress, type Hex } from '../base/bytes.js';
import { FFEError, sleep } from '../base/errors.js';
import type { SharedSecret } from '../crypto/ecies.js';
import type { TypedMessage } from '../session/typed-data.js';
import { chainError } from './errors.js';

/** The part of viem's WalletClient that is used. */
export interface ViemWallet {
  account?: { address: string } | undefined;
  getAddresses(): Promise<readonly string[]>;
  getChainId(): Promise<number>;
  signTypedData(args: never): Promise<string>;
  sendTransaction(args: never): Promise<string>;
}

/** What {@link FFE} takes as `signer`. */
export type WalletLike = Signer | ViemWallet;

const isEthers = (wallet: WalletLike): wallet is Signer => 'getAddress' in wallet;

class ViemSigner extends AbstractSigner {
  constructor(
    readonly wallet: ViemWallet,
    provider: Provider,
  ) {
    super(provider);
  }

  // The account itself, so that local ones sign locally.
  private async account(): Promise<{ address: string } | string> {
    const account = this.wallet.account ?? (await this.wallet.getAddresses())[0];
    if (account === undefined) throw new FFEError('key', 'the wallet offers no account');
    return account;
  }

  override async getAddress(): Promise<string> {
    const account = await this.account();
    return typeof account === 'string' ? account : account.address;
  }

  override connect(provider: Provider): ViemSigner {
    return new ViemSigner(this.wallet, provider);
  }

  override async signTypedData(
    domain: TypedDataDomain,
    types: Record<string, TypedDataField[]>,
    message: Record<string, unknown>,
  ): Promise<string> {
    const [primaryType] = Object.keys(types);
    const account = await this.account();
    return this.wallet.signTypedData({ account, domain, types, primaryType, message } as never);
  }

  override async sendTransaction(tx: TransactionRequest): Promise<TransactionResponse> {
    const { to, data, value, gasLimit } = tx;
    const account = await this.account();
    const request = { account, chain: null, to, data, value, gas: gasLimit };
    const hash = await this.wallet.sendTransaction(request as never);
    return { hash } as TransactionResponse; // the caller waits for the receipt by the hash
  }

  override async signTransaction(): Promise<string> {
    throw new FFEError('unsupported', 'this wallet sends transactions, it does not hand them out');
  }
  override async signMessage(): Promise<string> {
    throw new FFEError('unsupported', 'FFE signs typed data only');
  }
}

const RECEIPT_TIMEOUT = 300_000;

/** One account on one chain: signs, sends, waits. */
export class Account {
  private constructor(
    readonly address: Hex,
    private readonly signer: Signer,
    private readonly provider: Provider,
    private readonly chainId: number,
  ) {}

  /** `provider` reads the chain and tells the wallet's transactions apart. */
  static async of(wallet: WalletLike, provider: Provider, chainId: number): Promise<Account> {
    const signer = isEthers(wallet)
      ? wallet.provider === null
        ? wallet.connect(provider)
        : wallet
      : new ViemSigner(wallet, provider);
    try {
      return new Account(toAddress(await signer.getAddress()), signer, provider, chainId);
    } catch (error) {
      throw chainError(error, 'asking the wallet for its account');
    }
  }

  /** @throws FFEError `network`, reason `WrongChain`. */
  private async checkChain(): Promise<void> {
    let found: number;
    try {
      found =
        this.signer instanceof ViemSigner
          ? await this.signer.wallet.getChainId()
          : Number((await (this.signer.provider ?? this.provider).getNetwork()).chainId);
    } catch (error) {
      throw chainError(error, 'asking the wallet for its chain');
    }
    if (found !== this.chainId) {
      throw new FFEError(
        'network',
        `the wallet is on chain ${found}, not ${this.chainId}`,
        `switch the wallet to chain ${this.chainId}, then call again`,
        { reason: 'WrongChain' },
      );
    }
  }

  readonly sign = async (typed: TypedMessage): Promise<Hex> => {
    await this.checkChain();
    try {
      const signature = await this.signer.signTypedData(typed.domain, typed.types, typed.message);
      return signature.toLowerCase() as Hex;
    } catch (error) {
      throw chainError(error, `signing ${typed.primaryType}`);
    }
  };

  /** Raw ECDH and the public key, where the wallet offers them: ethers' wallets with a key in this
   * process do. */
  get ecdh(): { shared: SharedSecret; publicKey: Uint8Array } | undefined {
    const { signingKey } = this.signer as {
      signingKey?: { publicKey: string; computeSharedSecret(publicKey: Uint8Array): string };
    };
    if (signingKey === undefined) return undefined;
    return {
      publicKey: fromHex(signingKey.publicKey),
      shared: (publicKey) => fromHex(signingKey.computeSharedSecret(publicKey)),
    };
  }

  async balance(): Promise<bigint> {
    try {
      return await this.provider.getBalance(this.address);
    } catch (error) {
      throw chainError(error, 'eth_getBalance');
    }
  }

  /** Tries it first, so that a refusal costs nothing; sends; waits until it is mined.
   * @throws FFEError `chain` with the contract's own error. */
  async send(
    doing: string,
    to: Hex,
    data: Hex,
    value = 0n,
    signal?: AbortSignal,
  ): Promise<TransactionReceipt> {
    await this.checkChain();
    try {
      const request = { to, data, value };
      const gas = await this.provider.estimateGas({ ...request, from: this.address });
      const gasLimit = gas + gas / 4n;
      const { hash } = await this.signer.sendTransaction({ ...request, gasLimit });
      const receipt = await this.receipt(hash, signal);
      if (receipt.status === 1) return receipt;
      throw new FFEError(
        'chain',
        `${doing}: transaction ${hash} reverted in block ${receipt.blockNumber}`,
      );
    } catch (error) {
      throw chainError(error, doing);
    }
  }

  private async receipt(hash: string, signal?: AbortSignal): Promise<TransactionReceipt> {
    const end = Date.now() + RECEIPT_TIMEOUT;
    for (let pause = 100; Date.now() < end; pause = Math.min(2000, pause * 1.5)) {
      const receipt = await this.provider.getTransactionReceipt(hash);
      if (receipt !== null) return receipt;
      await sleep(pause, signal);
    }
    throw new FFEError(
      'network',
      `transaction ${hash} was not mined within five minutes`,
      'look at it in an explorer before calling again: it may still come',
    );
  }
}
