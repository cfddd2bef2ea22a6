// Typed reads, logs and calldata of one contract, from its generated bindings.
import { Interface, type ParamType, type Provider, type Result } from 'ethers';
import { toAddress, toHash, type Hex } from '../base/bytes.js';
import { chainError } from './errors.js';

/** A log with its decoded arguments. */
export interface DecodedLog<T> {
  args: T;
  transactionHash: Hex;
  blockNumber: number;
  index: number;
}

// ethers' results as plain values: objects for structs, addresses in lower case.
function plain(value: unknown, type: ParamType): unknown {
  if (type.baseType === 'array') {
    return [...(value as Result)].map((item) => plain(item, type.arrayChildren as ParamType));
  }
  if (type.baseType === 'tuple') {
    return record(value as Result, type.components as readonly ParamType[]);
  }
  return type.baseType === 'address' ? toAddress(value as string) : value;
}

const record = (values: Result, types: readonly ParamType[]): Record<string, unknown> =>
  Object.fromEntries(types.map((type, i) => [type.name, plain(values[i], type)]));

type Call = (...args: never[]) => Promise<unknown>;

/** Splits a range of blocks until the endpoint answers: providers limit how much at once. */
async function getLogs(
  provider: Provider,
  filter: { address: Hex; topics: (string | string[] | null)[] },
  from: number,
  to: number,
): Promise<Awaited<ReturnType<Provider['getLogs']>>> {
  try {
    return await provider.getLogs({ ...filter, fromBlock: from, toBlock: to });
  } catch (error) {
    if (from >= to) throw chainError(error, 'eth_getLogs');
    const middle = Math.floor((from + to) / 2);
    const first = await getLogs(provider, filter, from, middle);
    return [...first, ...(await getLogs(provider, filter, middle + 1, to))];
  }
}

export class BoundContract<
  Calls extends { [K in keyof Calls]: Call },
  Writes extends { [K in keyof Writes]: unknown[] },
  Events extends object,
> {
  readonly interface: Interface;

  constructor(
    readonly provider: Provider,
    readonly address: Hex,
    abi: readonly string[],
    private readonly fromBlock: number,
  ) {
    this.interface = new Interface(abi);
  }

  /** Calls a view. @throws FFEError `chain` with the contract's own error. */
  async call<K extends keyof Calls & string>(
    name: K,
    ...args: Parameters<Calls[K]>
  ): Promise<Awaited<ReturnType<Calls[K]>>> {
    const fragment = this.interface.getFunction(name);
    if (fragment === null) throw new TypeError(`no function ${name}`);
    try {
      const data = this.interface.encodeFunctionData(fragment, args);
      const answer = await this.provider.call({ to: this.address, data });
      const values = this.interface.decodeFunctionResult(fragment, answer);
      const out = fragment.outputs.map((type, i) => plain(values[i], type));
      return (out.length === 1 ? out[0] : out) as Awaited<ReturnType<Calls[K]>>;
    } catch (error) {
      throw chainError(error, name);
    }
  }

  /** Calldata of a transaction. Small integers may be numbers. */
  encode<K extends keyof Writes & string>(name: K, args: readonly unknown[]): Hex {
    return this.interface.encodeFunctionData(name, args) as Hex;
  }

  /** The arguments of a transaction's calldata; undefined if it is no such call. */
  decode<K extends keyof Writes & string>(name: K, data: string): unknown[] | undefined {
    const fragment = this.interface.getFunction(name);
    if (fragment === null || !data.startsWith(fragment.selector)) return undefined;
    const values = this.interface.decodeFunctionData(fragment, data);
    return fragment.inputs.map((type, i) => plain(values[i], type));
  }

  /** Logs of one event in order; `indexed`: the leading indexed arguments, null for any. */
  async logs<K extends keyof Events & string>(
    name: K,
    indexed: readonly unknown[],
    from = this.fromBlock,
  ): Promise<DecodedLog<Events[K]>[]> {
    const fragment = this.interface.getEvent(name);
    if (fragment === null) throw new TypeError(`no event ${name}`);
    const topics = this.interface.encodeFilterTopics(fragment, indexed);
    let head: number;
    try {
      head = await this.provider.getBlockNumber();
    } catch (error) {
      throw chainError(error, 'eth_blockNumber');
    }
    const found = await getLogs(this.provider, { address: this.address, topics }, from, head);
    return found
      .filter((log) => !log.removed)
      .sort((a, b) => a.blockNumber - b.blockNumber || a.index - b.index)
      .map((log) => ({
        args: record(
          this.interface.decodeEventLog(fragment, log.data, log.topics),
          fragment.inputs,
        ) as Events[K],
        transactionHash: toHash(log.transactionHash),
        blockNumber: log.blockNumber,
        index: log.index,
      }));
  }
}
