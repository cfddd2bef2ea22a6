// 0G Storage with the official SDK underneath: its tree, proofs and node calls. The loops
// are our own, since the SDK's take no abort signal, cannot tell progress in bytes, pay again after
// an interruption, write to the console, and do not check proofs when they download.
import {
  StorageNode,
  type FileInfo,
  type ShardConfig,
  type ShardedNode,
} from '@0gfoundation/0g-ts-sdk';
import {
  concat as ethersConcat,
  Contract,
  decodeBase64,
  encodeBase64,
  Interface,
  keccak256,
  type Provider,
} from 'ethers';
import { toHash, type Hex } from '../base/bytes.js';
import { checkAborted, FFEError, sleep } from '../base/errors.js';
import type { Account } from '../chain/wallet.js';
import { chainError } from '../chain/errors.js';
import type { Network } from '../client/network.js';
import type { Progress } from '../session/blob.js';
import {
  checkSegment,
  chunkSize,
  rootOfSegments,
  segmentChunks,
  segmentSize,
  segmentsOf,
  storedFile,
  type StoredFile,
} from './file.js';
import type { Spool, SpoolWriter } from './spool.js';

export interface TransferOptions {
  progress?: Progress | undefined;
  signal?: AbortSignal | undefined;
  /** Milliseconds in which a node may be unreachable or behind. */
  patience?: number | undefined;
}

interface Node {
  url: string;
  client: StorageNode;
  config: ShardConfig;
}

// The SDK's own bindings bring the contracts' bytecode along: 25 kB compressed.
const flowInterface = new Interface([
  'function market() view returns (address)',
  'function submit(tuple(tuple(uint256 length,bytes tags,tuple(bytes32 root,uint256 height)[] nodes) data,address submitter) submission) payable returns (uint256,bytes32,uint256,uint256)',
  'event Submit(address indexed sender,bytes32 indexed identity,uint256 submissionIndex,uint256 startPos,uint256 length,tuple(uint256 length,bytes tags,tuple(bytes32 root,uint256 height)[] nodes) submission)',
]);
const MARKET_ABI = ['function pricePerSector() view returns (uint256)'];

// Wei for one sector of 256 bytes; 0G's price is about 3.1e10.
const MAX_PRICE = 1_000_000_000_000n;
const PARALLEL = 4;
const RECENT_BLOCKS = 999;
const PATIENCE = 120_000;
const FIRST_PAUSE = 250;
const LAST_PAUSE = 10_000;

const network = (message: string, hint = '', cause?: unknown): FFEError =>
  new FFEError('network', message, hint, { cause });
const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

// The SDK's JSON-RPC client wraps errors of nodes: the words are in data or message.
function nodeWords(error: unknown): string {
  const { message = '', data = '' } = error as { message?: unknown; data?: unknown };
  return `${String(message)} ${JSON.stringify(data) ?? ''}`;
}

/** Repeats a call until it succeeds or patience ends; pauses grow from 250 ms to 10 s. */
async function persist<T>(
  what: string,
  { signal, patience = PATIENCE }: TransferOptions,
  call: () => Promise<T | undefined>,
): Promise<T> {
  const end = Date.now() + patience;
  let last: unknown = new Error('nothing yet');
  for (let pause = FIRST_PAUSE; ; pause = Math.min(LAST_PAUSE, pause * 2)) {
    checkAborted(signal);
    try {
      const out = await call();
      if (out !== undefined) return out;
    } catch (error) {
      if (error instanceof FFEError && error.code !== 'network') throw error;
      last = error;
    }
    if (Date.now() + pause > end) break;
    await sleep(pause * (0.75 + Math.random() / 2), signal);
  }
  throw network(
    `${what}: ${reason(last)}`,
    'check the connection and the storage nodes, then call again: it continues where it stopped',
    last,
  );
}

/** Runs `work` on 0 … count − 1, several at once; the first failure ends it. */
async function inParallel(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < count && !failed) {
      try {
        await work(next++);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, count) }, worker));
}

const holds = ({ config }: Node, globalSegment: number): boolean =>
  globalSegment % config.numShard === config.shardId;

export class Storage {
  constructor(
    private readonly network: Network,
    private readonly provider: Provider,
  ) {}

  private async urls(root?: Hex): Promise<string[]> {
    const found = [...this.network.storageNodes];
    if (this.network.indexerUrl !== '') {
      // Both kinds of service answer JSON-RPC through the same class.
      const indexer = new StorageNode(this.network.indexerUrl);
      try {
        const answer: unknown =
          root === undefined
            ? await indexer.request({ method: 'indexer_getShardedNodes' })
            : await indexer.request({ method: 'indexer_getFileLocations', params: [root] });
        const nodes = root === undefined ? (answer as { trusted: ShardedNode[] }).trusted : answer;
        found.push(...((nodes ?? []) as ShardedNode[]).map((node) => node.url));
      } catch (error) {
        if (found.length === 0) throw network(`the indexer does not answer: ${reason(error)}`);
      }
    }
    return [...new Set(found)];
  }

  private async nodes(root?: Hex): Promise<Node[]> {
    const urls = await this.urls(root);
    const asked = urls.map(async (url): Promise<Node> => {
      const client = new StorageNode(url);
      const config = await client.getShardConfig();
      const { numShard, shardId } = config;
      if (!(numShard > 0 && (numShard & (numShard - 1)) === 0 && shardId < numShard)) {
        throw new Error('impossible shard');
      }
      return { url, client, config };
    });
    const answers = await Promise.allSettled(asked);
    const out = answers.flatMap((a) => (a.status === 'fulfilled' ? [a.value] : []));
    if (out.length > 0) return out;
    const why = answers.map((a) => (a.status === 'rejected' ? reason(a.reason) : '')).join('; ');
    throw network(
      `no storage node answers: ${why === '' ? 'none is configured' : why}`,
      'check storageNodes and indexerUrl in the network file, then call again',
    );
  }

  /** The Flow contract that all nodes name. */
  private async flowAddress(nodes: readonly Node[]): Promise<Hex> {
    const named = await Promise.all(
      nodes.map(async ({ client, url }) => {
        const status = await client.getStatus();
        const { chainId, flowAddress } = status.networkIdentity;
        if (Number(chainId) !== this.network.chainId) {
          throw network(`${url} stores for chain ${chainId}, not ${this.network.chainId}`);
        }
        return flowAddress.toLowerCase() as Hex;
      }),
    );
    if (new Set(named).size !== 1) {
      throw new FFEError(
        'corrupt',
        'storage nodes name different Flow contracts',
        'leave out the wrong node: it would be paid at the wrong place',
      );
    }
    return named[0] as Hex;
  }

  /** Stores the spool's bytes and returns their root. Looks first whether nodes or the chain know
   * the root: running it again continues, and pays once. `known`: its tree, where it was built
   * before. */
  async upload(
    spool: Spool,
    account: Account,
    options: TransferOptions = {},
    known?: StoredFile,
  ): Promise<Hex> {
    const stored = known ?? (await storedFile(spool));
    const nodes = await persist('reaching storage nodes', options, () => this.nodes());
    let info = await this.known(nodes, stored.root);
    if (info?.finalized !== true) {
      if (info === undefined && !(await this.paid(nodes, stored, account))) {
        await this.pay(nodes, stored, account, options.signal);
      }
      const entry = await persist('waiting for the storage log entry', options, async () => {
        const infos = await Promise.all(
          nodes.map(({ client }) => client.getFileInfo(stored.root, true)),
        );
        return infos.every((i) => i !== null) ? (infos[0] as FileInfo) : undefined;
      });
      info = entry;
      await this.sendSegments(nodes, spool, stored, entry, options);
    }
    options.progress?.(spool.size, spool.size);
    return stored.root;
  }

  private async known(nodes: readonly Node[], root: Hex): Promise<FileInfo | undefined> {
    let best: FileInfo | undefined;
    for (const { client } of nodes) {
      const info = await client.getFileInfo(root, true).catch(() => null);
      if (info === null) return undefined;
      if (best === undefined || !info.finalized) best = info;
    }
    return best;
  }

  private async submission(stored: StoredFile, account: Account) {
    const [submission, error] = await stored.file.createSubmission('0x', account.address);
    if (submission === null) throw new FFEError('internal', `no submission: ${String(error)}`);
    return submission;
  }

  /** Whether the account paid for this root in the last blocks: nodes may not know it yet. */
  private async paid(
    nodes: readonly Node[],
    stored: StoredFile,
    account: Account,
  ): Promise<boolean> {
    const address = await this.flowAddress(nodes);
    const { data } = await this.submission(stored, account);
    const identity = keccak256(ethersConcat(data.nodes.map((node) => node.root as string)));
    try {
      const head = await this.provider.getBlockNumber();
      const logs = await this.provider.getLogs({
        address,
        topics: flowInterface.encodeFilterTopics('Submit', [account.address, identity]),
        fromBlock: Math.max(0, head - RECENT_BLOCKS),
        toBlock: head,
      });
      return logs.length > 0;
    } catch (error) {
      throw chainError(error, 'looking for an earlier storage payment');
    }
  }

  private async pay(
    nodes: readonly Node[],
    stored: StoredFile,
    account: Account,
    signal?: AbortSignal,
  ): Promise<void> {
    const address = await this.flowAddress(nodes);
    const submission = await this.submission(stored, account);
    let price: bigint;
    try {
      const flow = new Contract(address, flowInterface, this.provider);
      const market = new Contract(await flow.getFunction('market')(), MARKET_ABI, this.provider);
      price = await market.getFunction('pricePerSector')();
    } catch (error) {
      throw chainError(error, "asking for storage's price");
    }
    if (price > MAX_PRICE) {
      throw new FFEError(
        'chain',
        `the Flow contract ${address} asks ${price} wei for 256 bytes, more than the limit of ` +
          `${MAX_PRICE}`,
        "nothing was paid; check that the nodes are the network's own",
        { reason: 'PriceTooHigh' },
      );
    }
    const sectors = submission.data.nodes.reduce((sum, n) => sum + 2 ** Number(n.height), 0);
    const data = flowInterface.encodeFunctionData('submit', [submission]) as Hex;
    await account.send('paying for storage', address, data, price * BigInt(sectors), signal);
  }

  private async sendSegments(
    nodes: readonly Node[],
    spool: Spool,
    { root, tree, file }: StoredFile,
    info: FileInfo,
    options: TransferOptions,
  ): Promise<void> {
    const { segments, chunks } = segmentsOf(spool.size);
    const first = Math.floor(Number(info.tx.startEntryIndex) / segmentChunks);
    let done = 0;
    await inParallel(segments, async (index) => {
      const end = Math.min((index + 1) * segmentSize, spool.size);
      const real = await spool.slice(index * segmentSize, end);
      const data = new Uint8Array(
        Math.min(segmentChunks, chunks - index * segmentChunks) * chunkSize,
      );
      data.set(real);
      const segment = {
        root,
        data: encodeBase64(data),
        index,
        proof: tree.proofAt(index),
        fileSize: file.size(),
      };
      for (const node of nodes.filter((n) => holds(n, first + index))) {
        await persist(`uploading segment ${index} to ${node.url}`, options, async () => {
          try {
            await node.client.uploadSegmentsByTxSeq([segment] as never, Number(info.tx.seq));
          } catch (error) {
            if (!/already (uploaded|finalized|exists)/i.test(nodeWords(error))) throw error;
          }
          return true;
        });
      }
      done += real.length;
      options.progress?.(Math.min(done, spool.size - 1), spool.size);
    });
    await persist('waiting until the file is stored', options, async () => {
      for (const { client } of nodes) {
        const now = await client.getFileInfoByTxSeq(Number(info.tx.seq));
        if (now?.finalized !== true) return undefined;
      }
      return true;
    });
  }

  /** Downloads into a spool. Every segment is checked with its proof, from another node if one gives
   * altered bytes; at the end all segments together must give the root.
   * @throws FFEError `corrupt` if only altered bytes were to be had, else `network`. */
  async download(
    root: Hex,
    newSpool: () => Promise<SpoolWriter>,
    limit: number,
    options: TransferOptions = {},
  ): Promise<Spool> {
    const found = await persist(`looking for ${root} in 0G Storage`, options, async () => {
      const nodes = await this.nodes(root);
      const infos = await Promise.all(
        nodes.map(async (node) => {
          const info = await node.client.getFileInfo(root, true).catch(() => null);
          return info?.finalized === true ? [{ node, info }] : [];
        }),
      );
      const holders = infos.flat();
      return holders.length > 0 ? holders : undefined;
    });
    const size = agreedSize(
      root,
      found.map(({ info }) => Number(info.tx.size)),
    );
    if (size > limit) {
      throw new FFEError('corrupt', `${root} is said to have ${size} bytes, at most ${limit} fit`);
    }
    const writer = await newSpool();
    try {
      const roots: Hex[] = [];
      const { segments } = segmentsOf(size);
      for (let index = 0; index < segments; ++index) {
        const { data, own } = await this.fetchSegment(root, size, index, found, options);
        roots.push(own);
        const end = Math.min(size - index * segmentSize, data.length);
        if (data.subarray(end).some((byte) => byte !== 0)) {
          throw new FFEError('corrupt', `${root}: bytes beyond its length are not zero`);
        }
        await writer.write(data.subarray(0, end));
        options.progress?.(Math.min((index + 1) * segmentSize, size), size);
      }
      if (rootOfSegments(size, roots) !== root) {
        throw new FFEError('corrupt', `${root}: the segments do not make up this root`);
      }
      return await writer.finish();
    } catch (error) {
      await writer.discard();
      throw error;
    }
  }

  private async fetchSegment(
    root: Hex,
    size: number,
    index: number,
    holders: readonly { node: Node; info: FileInfo }[],
    options: TransferOptions,
  ): Promise<{ data: Uint8Array; own: Hex }> {
    let altered: FFEError | undefined;
    const attempt = async (): Promise<{ data: Uint8Array; own: Hex } | undefined> => {
      let last: unknown;
      for (const { node, info } of holders) {
        const first = Math.floor(Number(info.tx.startEntryIndex) / segmentChunks);
        if (!holds(node, first + index)) continue;
        try {
          const segment = await node.client.downloadSegmentWithProofByTxSeq(
            Number(info.tx.seq),
            index,
          );
          if (segment === null) continue;
          const data = decodeBase64(String(segment.data));
          return { data, own: checkSegment(root, size, index, data, segment.proof as never) };
        } catch (error) {
          if (error instanceof FFEError) {
            altered = new FFEError(
              'corrupt',
              `${node.url} gives altered bytes: ${error.message}`,
              'add other storage nodes to the network file, then call again',
              { reason: 'LyingStorageNode' },
            );
          } else last = error;
        }
      }
      if (last !== undefined) throw last;
      if (altered !== undefined) throw altered;
      return undefined;
    };
    return persist(`downloading segment ${index} of ${root}`, options, attempt);
  }
}

// A root does not commit to a length: the nodes must agree.
function agreedSize(root: Hex, sizes: readonly number[]): number {
  const count = (size: number): number => sizes.filter((other) => other === size).length;
  const ranked = [...new Set(sizes)].sort((a, b) => count(b) - count(a));
  const [best, second] = ranked;
  if (
    best === undefined ||
    !Number.isSafeInteger(best) ||
    best < 1 ||
    (second !== undefined && count(second) === count(best))
  ) {
    throw new FFEError(
      'corrupt',
      `storage nodes disagree about the length of ${root}`,
      'leave out the wrong node',
    );
  }
  return best;
}

/** The root that bytes would have in 0G Storage. */
export const storageRoot = async (spool: Spool): Promise<Hex> =>
  toHash((await storedFile(spool)).root);
