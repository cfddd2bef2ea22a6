// Calls and refusals on the local network, without training. Needs the C++ binaries.
import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  BrowserProvider,
  Contract,
  ContractFactory,
  encryptKeystoreJsonSync,
  JsonRpcProvider,
  Wallet,
  type HDNodeWallet,
} from 'ethers';
import { createWalletClient, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toAddress, toHex, type Hex } from '../src/base/bytes.js';
import { EnclaveRegistryAbi } from '../src/chain/abi/EnclaveRegistry.js';
import { FFEError } from '../src/base/errors.js';
import { FFECoordinatorAbi } from '../src/chain/abi/FFECoordinator.js';
import { Account } from '../src/chain/wallet.js';
import { FFE } from '../src/node/index.js';
import { parseRecipe, providerTrains } from '../src/session/recipe.js';
import type { Network, OpenRequest, ProgressEvent } from '../src/index.js';
import { Storage } from '../src/storage/client.js';
import { memorySpool, newBlobSpool } from '../src/storage/spool.js';
import { requireEnclave } from '../src/client/enclave.js';
import {
  bytesOf,
  definitions,
  Devnet,
  missingDevnet,
  otherChain,
  proxy,
} from './support/devnet.js';
import { forNode, installed, project, snippetWith } from './support/readme.js';
import { failure, pattern, vectorFile } from './support/vectors.js';

const run = promisify(execFile);

const missing = missingDevnet();
if (missing !== undefined) console.warn(`no tests on the local network: ${missing}`);

const rows = (topic: 'animals' | 'plants' | 'foods', from: number, count: number): Uint8Array =>
  bytesOf(definitions(topic).slice(from, from + count));

describe.skipIf(missing !== undefined)('on the local network', () => {
  let net: Devnet;
  let opener: HDNodeWallet;
  let alice: HDNodeWallet;
  let bob: HDNodeWallet;
  let poor: HDNodeWallet;
  let sessionId: bigint;

  const ffe = (signer?: HDNodeWallet, change: Partial<Network> = {}): FFE =>
    new FFE({ network: { ...net.network, ...change }, ...(signer && { signer }) });
  const request = (participants: string[], change: Partial<OpenRequest> = {}): OpenRequest => ({
    participants,
    pool: rows('animals', 0, 40),
    sample: rows('animals', 40, 8),
    stake: 10n ** 16n,
    ...change,
  });
  // The second of anvil's own accounts, whose node is the wallet.
  const unlocked = toAddress('0x70997970C51812dc3A010C7d01b50e0d17dc79C8');

  beforeAll(async () => {
    net = await Devnet.start();
    [opener, alice, bob] = [await net.account(), await net.account(), await net.account()];
    poor = await net.account(0n);
    const list = [alice.address, bob.address, poor.address, unlocked];
    const steps: string[] = [];
    const opened = await ffe(opener).openSession(request(list, { quorum: 2 }), {
      onProgress: ({ verb, text }) => void (text !== undefined && steps.push(verb)),
    });
    sessionId = opened.sessionId;
    expect(steps).toEqual(['Checking', 'Verifying', 'Uploading', 'Opening']);
  }, 240_000);
  afterAll(() => net.stop());

  test('the enclave is verified, link by link', async () => {
    const client = ffe();
    const { opened } = await client.status(sessionId);
    const v = await client.verifyEnclave(opened.terms.enclaveId, opened.terms);
    expect(v.accepted).toBe(true);
    expect(v.simulated).toBe(true);
    expect(v.quote.tcbStatus).toBe('UpToDate');
    // The devnet's machine logs as dstack does, and the log replays.
    const log = v.quote.checks.find((check) => check.name === 'evidence.event_log');
    expect(log).toMatchObject({ state: 'passed' });
    expect(v.links.map((link) => link.name)).toEqual([
      'binding',
      'code',
      'release',
      'registry',
      'terms',
    ]);

    const broken = async (change: Partial<Network>, terms = opened.terms): Promise<string> => {
      const verification = await ffe(undefined, change).verifyEnclave(terms.enclaveId, terms);
      expect(verification.accepted).toBe(false);
      const error = await failure(() => requireEnclave(verification));
      expect(error.code).toBe('attestation');
      expect(error.hint).not.toBe('');
      return error.reason ?? '';
    };
    expect(await broken({ releases: [] })).toBe('release');
    expect(await broken({}, { ...opened.terms, codeHash: `0x${'11'.repeat(32)}` })).toBe('terms');
    const { developmentRoot: _, ...real } = net.network;
    const strict = new FFE({ network: real });
    const simulated = await strict.verifyEnclave(opened.terms.enclaveId);
    expect((await failure(() => requireEnclave(simulated))).reason).toBe('pck_chain.root');
    const unknown = await failure(() => client.verifyEnclave(`0x${'77'.repeat(32)}`));
    expect(unknown.code).toBe('attestation');
    expect(unknown.message).toContain('is not registered');
  });

  test('nothing is encrypted to an enclave of another release', async () => {
    const verbs = new Set<string>();
    const client = ffe(alice, { releases: [] });
    const error = await failure(() =>
      client.submit(sessionId, rows('animals', 50, 5), {
        onProgress: ({ verb }) => void verbs.add(verb),
      }),
    );
    expect(error.code).toBe('attestation');
    expect(error.message).toContain('no published release');
    expect([...verbs]).toEqual([]);
  });

  test('a development root on a real chain', async () => {
    const error = await failure(() => ffe(undefined, { chainId: 16602 }).network());
    expect(error.code).toBe('usage');
    expect(error.message).toContain('a development root on chain 16602');
  });

  test('unknown sessions and strangers', async () => {
    expect((await failure(() => ffe(alice).submit(99, rows('animals', 0, 2)))).code).toBe(
      'session',
    );
    expect((await failure(() => ffe().status('x'))).code).toBe('usage');
    const stranger = await failure(() => ffe(opener).submit(sessionId, rows('animals', 0, 2)));
    expect([stranger.code, stranger.reason]).toEqual(['session', 'NotParticipant']);
    expect(stranger.hint).toContain('ask the opener');
    expect((await failure(() => ffe().submit(sessionId, rows('animals', 0, 2)))).code).toBe('key');
  });

  test('broken rows', async () => {
    const text = '{"prompt":"p","completion":"c"}\n{"prompt":"p"}\n';
    const error = await failure(() => ffe(alice).submit(sessionId, new TextEncoder().encode(text)));
    expect(error.code).toBe('bad_input');
    expect(error.message).toBe('data:2:1: has no "completion"');
    const none = await failure(() => ffe(alice).submit(sessionId, new TextEncoder().encode('\n')));
    expect(none.message).toBe('data: no rows');
    expect((await failure(() => ffe(alice).submit(sessionId, '/nowhere.jsonl'))).code).toBe('io');
  });

  test('more than the enclave takes', async () => {
    const small = await proxy(net.network.enclaveUrls[0] as string, (path, answer) => {
      if (path !== '/v1/enclave') return answer;
      const limits = { contributionBytes: 300, sessionBytes: 1000 };
      return JSON.stringify({ ...(JSON.parse(answer) as object), limits });
    });
    try {
      const client = ffe(alice, { enclaveUrls: [small.url] });
      const data = rows('animals', 0, 5);
      const error = await failure(() => client.submit(sessionId, data));
      expect(error.code).toBe('bad_input');
      // Four participants share what a session may have.
      expect(error.message).toBe(
        `data has ${data.length} bytes; this enclave takes 250 from each contributor to this session`,
      );
    } finally {
      await small.stop();
    }
  });

  test('a wallet on the wrong chain', async () => {
    const other = await otherChain();
    try {
      const provider = new JsonRpcProvider(other.url, undefined, { cacheTimeout: -1 });
      const signer = new Wallet(alice.privateKey, provider);
      const client = new FFE({ network: net.network, signer });
      const error = await failure(() => client.submit(sessionId, rows('animals', 0, 2)));
      expect([error.code, error.reason]).toEqual(['network', 'WrongChain']);
      expect(error.hint).toContain('switch the wallet to chain 31337');
      provider.destroy();
      const wrong = await failure(() => ffe(alice, { rpcUrl: other.url }).status(sessionId));
      expect(wrong.reason).toBe('WrongChain');
    } finally {
      await other.stop();
    }
  });

  test('insufficient funds; after a deposit the same call works', async () => {
    const client = ffe(poor);
    const data = rows('foods', 0, 5);
    const error = await failure(() => client.submit(sessionId, data));
    expect([error.code, error.reason]).toEqual(['chain', 'InsufficientFunds']);
    await net.fund(poor.address, 10n ** 18n);
    const done = await client.submit(sessionId, data);
    expect(done.replaced).toBe(false);
    expect(done.data.rows).toBe(5);
  });

  test('a wallet in a browser: rejected, then approved; X25519 owner key', async () => {
    let rejections = 2;
    const eip1193 = {
      async request({ method, params }: { method: string; params?: unknown }) {
        if (method === 'eth_signTypedData_v4' && rejections-- > 0) {
          throw Object.assign(new Error('User denied message signature.'), { code: 4001 });
        }
        return net.provider.send(method, (params ?? []) as unknown[]);
      },
    };
    const signer = await new BrowserProvider(eip1193).getSigner(unlocked);
    const client = new FFE({ network: net.network, signer });
    const data = rows('plants', 0, 5);
    for (const _ of [1, 2]) {
      const error = await failure(() => client.submit(sessionId, data));
      expect([error.code, error.reason]).toEqual(['key', 'SignatureRejected']);
      expect(error.hint).toContain('nothing was sent');
    }
    await client.submit(sessionId, data);
    const { submissions } = await client.status(sessionId);
    const mine = submissions.find((s) => s.contributor === unlocked);
    expect(mine?.ownerKey).toHaveLength(2 + 64);
    const secp = await failure(() => client.submit(sessionId, data, { ownerKey: 'secp256k1' }));
    expect(secp.code).toBe('key');
  });

  test('replace, withdraw, come back; a viem wallet', async () => {
    const account = privateKeyToAccount(bob.privateKey as Hex);
    const signer = createWalletClient({ account, transport: http(net.network.rpcUrl) });
    const client = new FFE({ network: net.network, signer });
    const first = await client.submit(sessionId, rows('plants', 10, 5));
    const second = await client.submit(sessionId, rows('plants', 20, 6));
    expect([first.replaced, second.replaced]).toEqual([false, true]);
    expect(second.blobRoot).not.toBe(first.blobRoot);
    const before = await net.provider.getBalance(bob.address);
    await client.withdraw(sessionId);
    expect((await net.provider.getBalance(bob.address)) - before).toBeGreaterThan(9n * 10n ** 15n);
    const again = await failure(() => client.withdraw(sessionId));
    expect(again.code).toBe('chain');
    expect(again.reason).toBeDefined();
    const nothing = await failure(() => client.claim(sessionId));
    expect(nothing.code).toBe('chain');
  });

  test('a lost connection: the same call continues, storage is paid once', async () => {
    let drops = 0;
    const flaky = await proxy(net.network.storageNodes[0] as string, (method, answer) => {
      if (method === 'zgs_uploadSegmentsByTxSeq' && drops < 3) {
        ++drops;
        return 'drop';
      }
      return answer;
    });
    try {
      const change = { storageNodes: [flaky.url], indexerUrl: '' };
      const client = ffe(bob, change);
      const data = rows('plants', 30, 6);
      const done = await client.submit(sessionId, data);
      expect(drops).toBe(3);
      // Stop it in the middle of an upload, then call again.
      const more = rows('plants', 40, 7);
      const stop = new AbortController();
      const stopped = await failure(() =>
        client.submit(sessionId, more, {
          signal: stop.signal,
          onProgress: ({ verb, done: n }) => {
            if (verb === 'Uploading' && n !== undefined) stop.abort();
          },
        }),
      );
      expect(stopped.code).toBe('interrupted');
      const topic = '0x167ce04d2aa1981994d3a31695da0d785373335b1078cec239a1a3a2c7675555';
      const payments = async (): Promise<number> =>
        (await net.provider.getLogs({ topics: [topic], fromBlock: 0 })).length;
      const paid = await payments();
      const signatures = { count: 0 };
      // As another process would: what it had encrypted lies in the user's data folder.
      expect(readdirSync(join(net.home, 'ffe/submissions'))).toHaveLength(2);
      const resumed = await ffe(bob, change).submit(sessionId, more, {
        onProgress: ({ verb, text }) => {
          if (verb === 'Encrypting' && text !== undefined) ++signatures.count;
        },
      });
      expect(signatures.count).toBe(0); // the blob of before
      expect(await payments()).toBe(paid);
      expect(resumed.replaced).toBe(true);
      expect(resumed.blobRoot).not.toBe(done.blobRoot);
      expect(readdirSync(join(net.home, 'ffe/submissions'))).toEqual([]);
    } finally {
      await flaky.stop();
    }
  });

  test('a kept blob that was damaged is encrypted anew; other rows replace it', async () => {
    const stopping = async (data: Uint8Array): Promise<void> => {
      const stop = new AbortController();
      const stopped = await failure(() =>
        ffe(bob).submit(sessionId, data, {
          signal: stop.signal,
          onProgress: ({ verb, text }) => {
            if (verb === 'Encrypting' && text !== undefined) stop.abort();
          },
        }),
      );
      expect(stopped.code).toBe('interrupted');
    };
    const encryptions = async (data: Uint8Array): Promise<number> => {
      let count = 0;
      await ffe(bob).submit(sessionId, data, {
        onProgress: ({ verb, text }) => {
          if (verb === 'Encrypting' && text !== undefined) ++count;
        },
      });
      return count;
    };
    const folder = join(net.home, 'ffe/submissions');
    await stopping(rows('plants', 60, 6));
    const [blob = ''] = readdirSync(folder).filter((name) => name.endsWith('.blob'));
    const bytes = readFileSync(join(folder, blob));
    bytes[100] = (bytes[100] as number) ^ 1;
    writeFileSync(join(folder, blob), bytes);
    expect(await encryptions(rows('plants', 60, 6))).toBe(1);
    await stopping(rows('plants', 70, 6));
    expect(await encryptions(rows('plants', 80, 6))).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a price of storage beyond reason', async () => {
    // Of what the chain answers, only a price is a small number.
    const greedy = await proxy(net.network.rpcUrl, (_method, answer) =>
      answer.replace(/0x0{52}[0-9a-f]{12}"/g, `0x${(10n ** 13n).toString(16).padStart(64, '0')}"`),
    );
    try {
      const provider = new JsonRpcProvider(greedy.url, 31337, { staticNetwork: true });
      const storage = new Storage(net.network, provider);
      const account = await Account.of(alice, provider, 31337);
      const data = memorySpool(pattern(1000));
      const error = await failure(() => storage.upload(data, account));
      expect([error.code, error.reason]).toEqual(['chain', 'PriceTooHigh']);
      expect(error.hint).toContain('nothing was paid');
      provider.destroy();
    } finally {
      await greedy.stop();
    }
  });

  test('a lying storage node', async () => {
    const upload = new Storage(net.network, net.provider);
    const account = await Account.of(alice, net.provider, 31337);
    const data = pattern(300_000);
    const root = await upload.upload(memorySpool(data), account);
    const good = await upload.download(root, newBlobSpool, 1 << 20);
    expect(await good.slice(0, good.size)).toEqual(data);

    const liar = await proxy(net.network.storageNodes[0] as string, (method, answer) =>
      method.startsWith('zgs_downloadSegment')
        ? answer.replace(/"data":"(.)/, (_, c: string) => `"data":"${c === 'A' ? 'B' : 'A'}`)
        : answer,
    );
    try {
      const lied = new Storage(
        { ...net.network, storageNodes: [liar.url], indexerUrl: '' },
        net.provider,
      );
      const error = await failure(() => lied.download(root, newBlobSpool, 1 << 20));
      expect([error.code, error.reason]).toEqual(['corrupt', 'LyingStorageNode']);
      expect(error.message).toContain(liar.url);
      // An honest node beside it suffices.
      const both = { storageNodes: [liar.url, ...net.network.storageNodes], indexerUrl: '' };
      const mixed = new Storage({ ...net.network, ...both }, net.provider);
      const file = await mixed.download(root, newBlobSpool, 1 << 20);
      expect(await file.slice(0, file.size)).toEqual(data);
    } finally {
      await liar.stop();
    }
  });

  test('nobody answers', async () => {
    const nowhere = 'http://127.0.0.1:1';
    const chain = await failure(() => ffe(undefined, { rpcUrl: nowhere }).status(sessionId));
    expect(chain.code).toBe('network');
    const enclave = await failure(() =>
      ffe(alice, { enclaveUrls: [nowhere] }).submit(sessionId, rows('animals', 0, 2)),
    );
    expect(enclave.code).toBe('network');
    expect(enclave.message).toContain('no collateral');
  });

  test('watch tells what is, and stops when told', async () => {
    const stop = new AbortController();
    const states: string[] = [];
    const error = await failure(async () => {
      for await (const event of ffe().watch(sessionId, { signal: stop.signal, interval: 50 })) {
        states.push(event.state);
        stop.abort();
      }
    });
    expect(states).toEqual(['open']);
    expect(error.code).toBe('interrupted');
  });

  test('rows that would leave the enclave need the word of their owner', async () => {
    const list = [alice.address, bob.address];
    const recipe = {
      ...providerTrains,
      trainer: '0g-compute',
      learningRateNano: 200_000,
      tokensPerStep: 4096,
      compute: {
        provider: toAddress(poor.address),
        signer: toAddress(bob.address),
        url: 'http://127.0.0.1:9',
        baseModel: `0x${'cb'.repeat(32)}` as Hex,
        maxFee: '1000000000000000',
        batchSize: 2,
        maxSteps: 1,
      },
    };
    const told: string[] = [];
    const onProgress = ({ verb, text }: ProgressEvent): void => {
      if (verb === 'Warning' && text !== undefined) told.push(text);
    };
    const id = (await ffe(opener).openSession(request(list, { recipe }), { onProgress })).sessionId;
    const mine = rows('plants', 0, 20);
    const error = await failure(() => ffe(alice).submit(id, mine, { onProgress }));
    expect(error.code).toBe('usage');
    expect(error.message).toContain('can read them; nothing was encrypted or sent');
    expect(error.hint).toContain('acceptProviderSeesData: true');
    expect((await ffe().status(id)).view.submitted).toBe(0);
    expect(told).toHaveLength(2);
    expect(told[1]).toContain(`${poor.address} at http://127.0.0.1:9`);
    await ffe(alice).submit(id, mine, { acceptProviderSeesData: true });
    expect((await ffe().status(id)).view.submitted).toBe(1);

    const dear = {
      ...recipe,
      compute: { ...recipe.compute, maxFee: (2n * 10n ** 18n).toString() },
    };
    const refused = await failure(() => ffe(opener).openSession(request(list, { recipe: dear })));
    expect(refused.message).toContain('above the 1 0G that this operator pays');
  });

  test('no model yet, no session over', async () => {
    const error = await failure(() => ffe(alice).download(sessionId));
    expect(error.code).toBe('session');
    expect(error.message).toContain('(state: open)');
    expect((await ffe(alice).claimable(sessionId)).stake).toBe(0n);
  });

  test('terms out of bounds are refused before they cost anything', async () => {
    const client = ffe(opener);
    const few = await failure(() => client.openSession(request([alice.address, alice.address])));
    expect(few.message).toContain('participants[1] must be another address');
    const bond = request([alice.address, bob.address], { operatorBond: 10n ** 18n });
    const error = await failure(() => client.openSession(bond));
    expect([error.code, error.reason]).toEqual(['chain', 'BondTooSmall']);
    expect(error.hint).toContain('larger bond');
  });

  test('a stake in an ERC-20: exact approvals, refusals by name', async () => {
    const { abi, bytecode } = vectorFile('evm/Token.json') as { abi: string[]; bytecode: string };
    const owner = new Wallet(alice.privateKey, net.provider);
    const stake = 5_000_000n;
    const opened = async (mood: number): Promise<[Contract, bigint]> => {
      const token = await new ContractFactory(abi, bytecode, owner).deploy('USDX', 6, mood);
      await token.waitForDeployment();
      const change = { stakeToken: await token.getAddress(), stake };
      const list = [alice.address, bob.address];
      const { sessionId: id } = await ffe(opener).openSession(request(list, change));
      return [token as Contract, id];
    };
    const data = rows('animals', 90, 5);
    const allowance = async (token: Contract): Promise<bigint> =>
      (await token.getFunction('allowance')(alice.address, net.network.coordinator)) as bigint;

    const [token, plain] = await opened(0);
    const address = toAddress(await token.getAddress());
    const told: string[] = [];
    const first = await ffe(alice).submit(plain, data, {
      onProgress: ({ verb, text }) => void (text !== undefined && told.push(`${verb} ${text}`)),
    });
    expect(first.currency).toEqual({ token: address, symbol: 'USDX', decimals: 6 });
    expect(first.approvalTxHash).toMatch(/^0x[0-9a-f]{64}$/);
    expect(told.join('\n')).toContain(`Staking 5 USDX (ERC-20 ${address})`);
    expect(told.join('\n')).toContain('Approving the coordinator to take 5 USDX');
    expect(await allowance(token)).toBe(0n); // all of it was taken
    expect((await ffe().status(plain)).currency.symbol).toBe('USDX');
    const again = await ffe(alice).submit(plain, rows('animals', 95, 5));
    expect([again.replaced, again.approvalTxHash]).toEqual([true, undefined]);
    const poorer = await failure(() => ffe(bob).submit(plain, data));
    expect([poorer.code, poorer.reason]).toEqual(['chain', 'InsufficientFunds']);
    expect(poorer.message).toBe(
      `the stake is 5 USDX (ERC-20 ${address}); ${toAddress(bob.address)} has 0`,
    );

    // One that changes an allowance only from or to zero, and one that says no.
    const [old, second] = await opened(1);
    await (await old.getFunction('approve')(net.network.coordinator, 1n)).wait();
    expect((await ffe(alice).submit(second, data)).approvalTxHash).toBeDefined();
    const [, third] = await opened(2);
    const unwilling = await failure(() => ffe(alice).submit(third, data));
    expect(unwilling.code).toBe('chain');
    expect(unwilling.message).toContain('did not take the approval');
    const change = { stakeToken: net.network.coordinator.replace(/.$/, '0') };
    const list = [alice.address, bob.address];
    const none = await failure(() => ffe(opener).openSession(request(list, change)));
    expect(none.code).toBe('chain');
  });

  test('the fastest numeric path; a session too large for the chain', async () => {
    const list = [alice.address, bob.address];
    const opened = await ffe(opener).openSession(
      request(list, { recipe: { numericPath: 'auto', epochs: 2 } }),
    );
    const { opened: record } = await ffe().status(opened.sessionId);
    const { numericPath, epochs } = parseRecipe(record.recipeText);
    expect(['amx-bf16', 'avx512-bf16', 'f32']).toContain(numericPath);
    expect(epochs).toBe(2);
    const crowd = Array.from({ length: 5000 }, () => alice.address);
    const error = await failure(() => ffe(opener).openSession(request(crowd)));
    expect(error.code).toBe('usage');
    expect(error.message).toContain('a session of 5000 participants could not be settled');
  });

  test('npx @0g/ffe: a whole contribution', async () => {
    const list = [alice.address, bob.address];
    const fresh = String((await ffe(opener).openSession(request(list))).sessionId);
    const folder = await installed();
    const { address, privateKey } = alice;
    const scrypt = { N: 1024, r: 8, p: 1 };
    const keyFile = encryptKeystoreJsonSync({ address, privateKey }, 'secret', { scrypt });
    writeFileSync(join(folder, 'alice.json'), keyFile);
    writeFileSync(join(folder, 'password'), 'secret\n');
    writeFileSync(join(folder, 'alice.jsonl'), rows('animals', 100, 5));
    const env = { ...process.env, XDG_DATA_HOME: net.home };
    const command = async (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
      run('npx', ['--offline', '@0g/ffe', ...args], { cwd: folder, env });
    const signed = ['--keystore', 'alice.json', '--password-file', 'password'];

    const submitted = await command('submit', fresh, 'alice.jsonl', ...signed);
    expect(submitted.stdout).toMatch(/^0x[0-9a-f]{64}\n$/);
    expect(submitted.stderr).toContain('  Verifying enclave 0x');
    expect(submitted.stderr).toContain(' Committing session');
    const { stdout } = await command('status', fresh);
    const shown = JSON.parse(stdout) as { submissions: { contributor: string }[] };
    expect(shown.submissions.map((s) => s.contributor)).toEqual([toAddress(address)]);
    const early = command('download', fresh, 'adapter', ...signed);
    await expect(early).rejects.toMatchObject({
      code: 5,
      stderr: expect.stringContaining(`error: session ${fresh} has no model`) as string,
    });
    expect((await command('withdraw', fresh, ...signed, '-q')).stderr).toBe('');
    await expect(command('claim', fresh, ...signed)).rejects.toMatchObject({ code: 6 });
    rmSync(folder, { recursive: true });
  });

  test("the README's snippets run", async () => {
    const contribute = snippetWith('walletFromKeystore');
    const open = snippetWith('openSession');
    const errors = snippetWith('instanceof FFEError');
    const folder = project();
    const env = { ...process.env, XDG_DATA_HOME: net.home };
    const script = (name: string, snippet: string, prelude: string, end = ''): string => {
      writeFileSync(join(folder, name), forNode(snippet, prelude) + end);
      return name;
    };
    const wallet = (who: HDNodeWallet): string =>
      `import { Wallet } from 'ethers';\nconst signer = new Wallet('${who.privateKey}');`;

    // Opening: the operator's bond first.
    const { opened } = await ffe().status(sessionId);
    const coordinator = new Contract(
      net.network.coordinator,
      [...FFECoordinatorAbi],
      new Wallet(opener.privateKey, net.provider),
    );
    const deposit = { value: 10n ** 18n };
    await (await coordinator.getFunction('depositBond')(opened.payee, deposit)).wait();
    writeFileSync(join(folder, 'pool.jsonl'), rows('animals', 60, 10));
    writeFileSync(join(folder, 'sample.jsonl'), rows('animals', 70, 4));
    const list = JSON.stringify([alice.address, bob.address, unlocked]);
    const opening = script(
      'open.mjs',
      open,
      `${wallet(opener)}\nconst participants = ${list};`,
      '\nconsole.log(String(sessionId));',
    );
    const { stdout } = await run(process.execPath, [opening], { cwd: folder, env });
    const fresh = BigInt(stdout.trim());
    expect(fresh).toBeGreaterThan(sessionId);

    // Contributing: until the rows are committed; nobody else comes.
    // ethers' scrypt is slow; a weak key file will do here.
    const { address, privateKey } = alice;
    const keyFile = encryptKeystoreJsonSync({ address, privateKey }, 'secret', {
      scrypt: { N: 1024, r: 8, p: 1 },
    });
    writeFileSync(join(folder, 'alice.json'), keyFile);
    writeFileSync(join(folder, 'alice.jsonl'), rows('animals', 80, 5));
    const going = script(
      'contribute.mjs',
      contribute,
      `const password = 'secret';\nconst sessionId = ${fresh}n;`,
    );
    const child = spawn(process.execPath, [going], { cwd: folder, env });
    const seen = await new Promise<string>((resolve) => {
      let text = '';
      child.stderr.on('data', (chunk) => {
        text += String(chunk);
        if (text.includes('waiting for submissions')) resolve(text);
      });
      child.once('exit', () => resolve(text));
    });
    child.kill();
    expect(seen).toContain('Committing session');
    expect(seen).toContain('open waiting for submissions');

    const failing = script(
      'errors.mjs',
      errors,
      `${wallet(poor)}\nconst network = 'devnet';\nconst sessionId = ${fresh}n;\n` +
        'const rows = new TextEncoder().encode(\'{"text":"x"}\');',
    );
    const { stderr } = await run(process.execPath, [failing], { cwd: folder, env });
    expect(stderr).toContain('session: ');
    expect(stderr).toContain('ask the opener');
  }, 120_000);

  // Last, since it moves the chain's clock.
  test('a session that closed, and one that expired', async () => {
    const list = [alice.address, bob.address];
    const short = await ffe(opener).openSession(request(list, { submitSeconds: 60 }));
    await net.passTime(61);
    const late = await failure(() => ffe(alice).submit(short.sessionId, rows('animals', 0, 3)));
    expect([late.code, late.reason]).toEqual(['session', 'SubmitClosed']);
    expect(late.hint).toContain('the deadline has passed');
    const client = ffe(opener);
    const { opened } = await client.status(short.sessionId);
    const expire = new Wallet(opener.privateKey, net.provider);
    const coordinator = new Contract(net.network.coordinator, [...FFECoordinatorAbi], expire);
    await (await coordinator.getFunction('expire')(opened.id)).wait();
    const over = await failure(() => ffe(alice).submit(short.sessionId, rows('animals', 0, 3)));
    expect([over.code, over.reason]).toEqual(['session', 'WrongState']);
    expect(over.message).toContain('is expired');
    const events = [];
    for await (const event of client.watch(short.sessionId)) events.push(event.state);
    expect(events).toEqual(['expired']);
    expect(over).toBeInstanceOf(FFEError);
  });

  test('after a renewal the newest quote counts, whoever shows it', async () => {
    const { opened } = await ffe().status(sessionId);
    const id = opened.terms.enclaveId;
    const service = net.network.enclaveUrls[0] as string;
    const stale = await (await fetch(`${service}/v1/enclave`)).text();
    const reportData = async (change: Partial<Network> = {}): Promise<string> => {
      const v = await ffe(undefined, change).verifyEnclave(id);
      expect(v.accepted).toBe(true);
      return toHex(v.quote.quote?.td.reportData as Uint8Array);
    };
    const first = await reportData();
    const registry = new Contract(net.network.registry, [...EnclaveRegistryAbi], net.provider);
    const validUntil = async (): Promise<bigint> =>
      ((await registry.getFunction('enclave')(id)) as { validUntil: bigint }).validUntil;
    const before = await validUntil();
    await net.passTime(6 * 86_400 + 12 * 3600);
    while ((await validUntil()) === before) await new Promise((wait) => setTimeout(wait, 200));

    let newest = await reportData();
    while (newest === first) newest = await reportData(); // until its service shows it, too
    const behind = await proxy(service, (path, answer) =>
      path === '/v1/enclave' ? stale : answer,
    );
    // Of the renewal's calldata: selector, three words, a length, and 600 bytes into the quote.
    const selector = registry.interface.getFunction('renew')?.selector as string;
    const at = new RegExp(`("input":"${selector}[0-9a-f]{${2 * (4 * 32 + 600)}})(.)`);
    const lying = await proxy(net.network.rpcUrl, (_, answer) =>
      answer.replace(at, (_all, head: string, digit: string) => head + (digit === '0' ? '1' : '0')),
    );
    try {
      expect(await reportData({ enclaveUrls: [behind.url] })).toBe(newest);
      const v = await ffe(undefined, { rpcUrl: lying.url }).verifyEnclave(id);
      expect(v.accepted).toBe(false);
      expect((await failure(() => requireEnclave(v))).reason).toBe('quote.signature');
    } finally {
      await behind.stop();
      await lying.stop();
    }
  }, 120_000);
});
