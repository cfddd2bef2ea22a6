// Where a network's parts are (the file that `ffe devnet up` writes).
import { fromHex, normalHex, toHash, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, type Json } from '../base/json.js';

export interface Network {
  name: string;
  chainId: number;
  rpcUrl: string;
  coordinator: Hex;
  registry: Hex;
  inft: Hex;
  /** Where the contracts' logs begin. */
  fromBlock: number;
  storageNodes: string[];
  /** Empty: only `storageNodes` are asked. */
  indexerUrl: string;
  /** Services to ask for collateral and new sessions. */
  enclaveUrls: string[];
  /** Code hashes of published releases that this client encrypts to. */
  releases: Hex[];
  /** DER of a development root; allowed on chain 31337 only. Absent: Intel's. */
  developmentRoot?: Hex;
}

const DEVELOPMENT_CHAIN = 31337;

/** Checks what a file, a server or a caller gave. @throws FFEError `usage` naming the member; a
 * development root beside another chain id is refused. */
export function parseNetwork(json: Json, what: string): Network {
  try {
    const f = new Fields(json, what);
    const strings = (key: string): string[] =>
      f.array(key, 1000, (item, where) => {
        if (typeof item === 'string') return item;
        throw new FFEError('usage', `${where} is not a string`);
      });
    const address = (key: string): Hex => normalHex(f.string(key), f.path(key), 20);
    const network: Network = {
      name: f.string('name'),
      chainId: f.integer('chainId'),
      rpcUrl: f.string('rpcUrl'),
      coordinator: address('coordinator'),
      registry: address('registry'),
      inft: address('inft'),
      fromBlock: f.integer('fromBlock'),
      storageNodes: strings('storageNodes'),
      indexerUrl: f.has('indexerUrl') ? f.string('indexerUrl') : '',
      enclaveUrls: strings('enclaveUrls'),
      releases: strings('releases').map((hash) => toHash(hash, f.path('releases'))),
    };
    if (f.has('developmentRoot')) {
      if (network.chainId !== DEVELOPMENT_CHAIN) {
        throw new FFEError(
          'usage',
          `${what}: a development root on chain ${network.chainId} proves nothing`,
          "remove developmentRoot: Intel's root is compiled in",
        );
      }
      const root = f.string('developmentRoot');
      fromHex(root, f.path('developmentRoot'));
      network.developmentRoot = root.toLowerCase() as Hex;
    }
    return network;
  } catch (error) {
    if (!(error instanceof FFEError) || error.code !== 'bad_input') throw error;
    throw new FFEError('usage', error.message, error.hint);
  }
}
