// The project's own local network (`ffe devnet up`) for tests: anvil, contracts, storage node, enclave
// service with a simulated platform.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JsonRpcProvider, Wallet, type HDNodeWallet } from 'ethers';
import { parseNetwork, type Network } from '../../src/client/network.js';

const project = fileURLToPath(new URL('../../../', import.meta.url));
export const ffeBinary = join(process.env.FFE_BUILD ?? join(project, 'build'), 'bin/ffe');
export const anvilBinary = join(project, 'contracts/node_modules/.bin/anvil');

/** Says why where the network cannot be started. */
export function missingDevnet(): string | undefined {
  if (existsSync(ffeBinary)) return undefined;
  return `${ffeBinary} is absent: build it (make build) or set FFE_BUILD`;
}

/** anvil's first account, whose key is public knowledge. */
const FAUCET = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

async function firstLine(child: ChildProcess, pattern: RegExp): Promise<string> {
  let out = '';
  let errors = '';
  child.stderr?.on('data', (chunk) => (errors += String(chunk)));
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk) => {
      out += String(chunk);
      const found = pattern.exec(out);
      if (found !== null) resolve(found[1] ?? found[0]);
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code}:\n${out}${errors}`)));
    child.once('error', reject);
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  await ended;
}

export class Devnet {
  private constructor(
    readonly network: Network,
    readonly file: string,
    readonly home: string,
    readonly provider: JsonRpcProvider,
    private readonly child: ChildProcess,
  ) {}

  /** `home`: where everything lies, removed at the end. `model`: the enclave's, instead of the
   * demonstration's. */
  static async start(options: { home?: string; model?: string } = {}): Promise<Devnet> {
    const home = options.home ?? mkdtempSync(join(tmpdir(), 'ffe-sdk-'));
    process.env.XDG_DATA_HOME = home; // what this process remembers goes with the network
    const env = { ...process.env, XDG_CONFIG_HOME: home };
    const args = [
      'devnet',
      'up',
      '--compute',
      ...(options.model ? ['--model', options.model] : []),
    ];
    const child = spawn(ffeBinary, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    try {
      const file = await firstLine(child, /^(\/.*network\.json)\n/m);
      const network = parseNetwork(JSON.parse(readFileSync(file, 'utf8')), file);
      const provider = new JsonRpcProvider(network.rpcUrl, 31337, {
        staticNetwork: true,
        cacheTimeout: -1,
        pollingInterval: 100,
      });
      return new Devnet(network, file, home, provider, child);
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.provider.destroy();
    await stopChild(this.child);
    rmSync(this.home, { recursive: true, force: true });
  }

  /** A fresh account with 10 tokens, or with so many wei. */
  async account(wei = 10n ** 19n): Promise<HDNodeWallet> {
    const wallet = Wallet.createRandom();
    if (wei > 0n) await this.fund(wallet.address, wei);
    return wallet;
  }

  async fund(address: string, wei: bigint): Promise<void> {
    const faucet = new Wallet(FAUCET, this.provider);
    await (await faucet.sendTransaction({ to: address, value: wei })).wait();
  }

  /** Lets the chain's clock run ahead. */
  async passTime(seconds: number): Promise<void> {
    await this.provider.send('evm_increaseTime', [seconds]);
    await this.provider.send('evm_mine', []);
  }
}

/** Another chain, for wallets in the wrong place. */
export async function otherChain(): Promise<{ url: string; stop(): Promise<void> }> {
  const child = spawn(anvilBinary, ['--port', '0', '--chain-id', '5'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const address = await firstLine(child, /Listening on (\S+:\d+)/);
  return { url: `http://${address}`, stop: () => stopChild(child) };
}

export type Tamper = (method: string, answer: string) => string | 'drop';

/** A proxy before a server that changes answers or breaks connections. `method` of `tamper`: that of
 * JSON-RPC, or the path. */
export async function proxy(
  target: string,
  tamper: Tamper,
): Promise<{ url: string; stop(): Promise<void> }> {
  const server: Server = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => parts.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(parts);
      const path = incoming.url ?? '/';
      const method = /"method"\s*:\s*"([^"]+)"/.exec(body.toString('utf8'))?.[1] ?? path;
      const headers = { 'content-type': 'application/json' };
      const options = { method: incoming.method, headers };
      const outgoing = request(new URL(path, target), options, (answer) => {
        let text = '';
        answer.on('data', (chunk) => (text += String(chunk)));
        answer.on('end', () => {
          const changed = tamper(method, text);
          if (changed === 'drop') incoming.socket.destroy();
          else response.writeHead(answer.statusCode ?? 500, headers).end(changed);
        });
      });
      outgoing.on('error', () => incoming.socket.destroy());
      outgoing.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

const TOPICS = { animals: 5, plants: 20, foods: 13 } as const;
export type Topic = keyof typeof TOPICS;

/** WordNet's definitions of one topic as rows, in a fixed mixed order; as the demonstration's. */
export function definitions(topic: Topic): string[] {
  const seen = new Set<string>();
  const rows: string[] = [];
  for (const line of readFileSync('/usr/share/wordnet/data.noun', 'utf8').split('\n')) {
    const [, lexFile, , , word = ''] = line.split(' ');
    const gloss = (line.split(' | ')[1] ?? '').split('; "')[0]?.replace(/[ ;\r]+$/, '') ?? '';
    const words = gloss.split(/\s+/).length;
    if (line.startsWith('  ') || Number(lexFile) !== TOPICS[topic]) continue;
    if (words < 5 || words > 12 || seen.has(word) || seen.has(gloss)) continue;
    seen.add(word).add(gloss);
    const row = { prompt: `Define: ${word.replaceAll('_', ' ')}`, completion: gloss };
    rows.push(`${JSON.stringify(row)}\n`);
  }
  // Neighbours in WordNet are too alike to tell their answers apart.
  let state = 1;
  for (let i = rows.length - 1; i > 0; --i) {
    state = (state * 48271) % 2147483647;
    const j = state % (i + 1);
    [rows[i], rows[j]] = [rows[j] as string, rows[i] as string];
  }
  return rows;
}

export const bytesOf = (rows: readonly string[]): Uint8Array =>
  new TextEncoder().encode(rows.join(''));

export function writeRows(file: string, rows: readonly string[]): string {
  writeFileSync(file, rows.join(''));
  return file;
}
