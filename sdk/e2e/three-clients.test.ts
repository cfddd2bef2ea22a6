// One session on the local network, three contributors, three clients: the C++ command, the Node
// example, the example page in Chromium. Each takes the same model home.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { toBeHex, type HDNodeWallet } from 'ethers';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EnclaveService, FFE, type Json, type KeyRequest, type Model } from '../src/node/index.js';
import { Devnet, ffeBinary, missingDevnet, proxy } from '../test/support/devnet.js';
import { forNode, project, snippetWith } from '../test/support/readme.js';

const run = promisify(execFile);
const chromiumBinary = process.env.CHROMIUM ?? '/usr/bin/chromium';
const missing =
  missingDevnet() ?? (existsSync(chromiumBinary) ? undefined : `${chromiumBinary} is absent`);
if (missing !== undefined) console.warn(`no end-to-end test: ${missing}`);

// A base model of a few hundred thousand weights that the quality gate accepts, and rows for it.
const modelScript = fileURLToPath(new URL('../../tests/e2e/learned_model.py', import.meta.url));
const example = (name: string): string =>
  fileURLToPath(new URL(`../examples/${name}`, import.meta.url));

describe.skipIf(missing !== undefined)('three clients, one model', () => {
  let net: Devnet;
  let browser: Browser | undefined;
  let page: Page;
  let server: { close(): void; address(): unknown } | undefined;
  let sessionId: bigint;
  let byNode: Promise<string>;
  const wallets: Record<string, HDNodeWallet> = {};
  const started = Date.now();
  const told = (what: string): void =>
    console.log(`${((Date.now() - started) / 1000).toFixed(0).padStart(5)} s  ${what}`);
  const at = (name: string): string => join(net.home, name);
  const cli = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, XDG_CONFIG_HOME: net.home, XDG_DATA_HOME: net.home };
    const password = ['--password-file', at('password')];
    return (await run(ffeBinary, [...args, '--network', net.file, ...password], { env })).stdout;
  };
  const keystore = async (name: string): Promise<string> => {
    const file = at(`${name}.json`);
    const wallet = wallets[name] as HDNodeWallet;
    writeFileSync(file, wallet.encryptSync('secret'), { mode: 0o600 });
    return file;
  };

  // The page's wallet: keys stay on this side, as in an extension.
  async function injectWallet(target: Page, wallet: HDNodeWallet): Promise<void> {
    const signer = wallet.connect(net.provider);
    await target.exposeFunction('walletRequest', async (method: string, params: unknown[]) => {
      if (method === 'eth_requestAccounts' || method === 'eth_accounts') return [wallet.address];
      if (method === 'eth_signTypedData_v4') {
        const { domain, types, message } = JSON.parse(params[1] as string) as never as {
          domain: object;
          types: Record<string, never[]>;
          message: Record<string, unknown>;
        };
        const { EIP712Domain: _, ...own } = types;
        return signer.signTypedData(domain, own, message);
      }
      if (method === 'eth_sendTransaction') {
        const { to, data, value, gas } = params[0] as Record<string, string>;
        const tx = { to, data, value: value ?? toBeHex(0), gasLimit: gas };
        return (await signer.sendTransaction(tx as never)).hash;
      }
      return net.provider.send(method, params);
    });
    await target.addInitScript(() => {
      const { walletRequest } = window as never as {
        walletRequest(method: string, params: unknown[]): Promise<unknown>;
      };
      Object.assign(window, {
        ethereum: {
          request: ({ method, params }: { method: string; params?: unknown[] }) =>
            walletRequest(method, params ?? []),
        },
      });
    });
  }
  const click = async (button: string): Promise<string> => {
    await page.click(`#${button}`);
    const log = page.locator('#log');
    await expect
      .poll(() => log.textContent(), { timeout: 300_000, interval: 250 })
      .toMatch(new RegExp(`${button}: done|error: `));
    const text = (await log.textContent()) ?? '';
    expect(text).not.toContain('error: ');
    return text;
  };

  beforeAll(async () => {
    const home = mkdtempSync(join(tmpdir(), 'ffe-e2e-'));
    await run('python3', ['-B', modelScript, ffeBinary, home]);
    told('model is trained');
    net = await Devnet.start({ home, model: join(home, 'model') });
    told('network is up');
    for (const name of ['opener', 'alice', 'bob', 'carol']) wallets[name] = await net.account();
    writeFileSync(at('password'), 'secret\n', { mode: 0o600 });
    const { serve } = (await import(example('browser/serve.mjs'))) as {
      serve(file: string): Promise<NonNullable<typeof server>>;
    };
    server = await serve(net.file);
    browser = await chromium.launch({ executablePath: chromiumBinary, args: ['--no-sandbox'] });
    page = await browser.newPage();
    page.on('pageerror', (error) => console.error('page:', error));
    await injectWallet(page, wallets.carol as HDNodeWallet);
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    told('browser is up');
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
    await net.stop();
  });

  test('the opener opens, from TypeScript', async () => {
    const ffe = new FFE({ network: net.file, signer: wallets.opener as HDNodeWallet });
    const opened = await ffe.openSession({
      participants: ['alice', 'bob', 'carol'].map(
        (name) => (wallets[name] as HDNodeWallet).address,
      ),
      pool: at('pool.jsonl'),
      sample: at('sample.jsonl'),
      quorum: 3,
      stake: 5n * 10n ** 17n,
      gate: {
        statistic: 2,
        evalPairs: 96,
        minRows: 16,
        harmToleranceMicro: 60_000,
        relevanceToleranceMicro: 60_000,
      },
      recipe: { epochs: 1, tokensPerStep: 512, sequenceLength: 128 },
    });
    sessionId = opened.sessionId;
    await page.fill('#session', String(sessionId));
    told('session is open');
  });

  test('alice submits with the C++ command', async () => {
    const file = await keystore('alice');
    const hash = await cli('submit', String(sessionId), at('alice.jsonl'), '--keystore', file);
    expect(hash.trim()).toMatch(/^0x[0-9a-f]{64}$/);
    told('alice (C++)');
  });

  test("carol submits with the README's lines for a page", async () => {
    // Where the README's page has its network file.
    const network = readFileSync(net.file, 'utf8');
    const headers = { 'access-control-allow-origin': '*' };
    await page.route('https://example.org/network.json', (route) =>
      route.fulfill({ body: network, contentType: 'application/json', headers }),
    );
    const rows = JSON.stringify(readFileSync(at('carol.jsonl'), 'utf8'));
    const prelude = `const sessionId = ${sessionId}n;\nconst file = new File([${rows}], 'carol.jsonl');`;
    const content = `${forNode(snippetWith('Eip1193Provider'), prelude)}\nwindow.done = true;`;
    await page.addScriptTag({ type: 'module', content });
    await page.waitForFunction('window.done');
    const { submissions } = await new FFE({ network: net.file }).status(sessionId);
    const carol = (wallets.carol as HDNodeWallet).address.toLowerCase();
    expect(submissions.map((s) => s.contributor)).toContain(carol);
    told("carol (Chromium, the README's lines)");
  });

  test('carol submits in a browser', async () => {
    const verified = await click('verify');
    expect(verified).toContain('passed  quote.signature');
    expect(verified).toContain('passed  terms');
    await page.setInputFiles('#rows', at('carol.jsonl'));
    expect(await click('submit')).toMatch(/submitted: 0x[0-9a-f]{64}/);
    told('carol (Chromium)');
  });

  test('bob submits in Node; the session seals', async () => {
    const file = await keystore('bob');
    const script = example('node/contributor.mjs');
    const args = [script, net.file, file, at('password'), String(sessionId), at('bob.jsonl')];
    byNode = run(process.execPath, [...args, at('bob-adapter')]).then(({ stdout }) =>
      stdout.trim(),
    );
    byNode.catch(() => undefined); // looked at below
    const ffe = new FFE({ network: net.file });
    const stages: string[] = [];
    let last = '';
    for await (const event of ffe.watch(sessionId, { interval: 500 })) {
      if (event.stage !== stages.at(-1)) {
        stages.push(event.stage);
        told(`${event.state}: ${event.stage} ${event.error}`);
      }
      last = event.state;
    }
    expect(last).toBe('settled');
    expect(await byNode).toMatch(/^0x[0-9a-f]{64}$/);
    told('bob (Node) has the model');
  });

  test('all three hold the same adapter', async () => {
    const node = await byNode;
    const bob = readFileSync(join(at('bob-adapter'), 'adapter_model.safetensors'));
    expect(`0x${createHash('sha256').update(bob).digest('hex')}`).toBe(node);

    const folder = at('alice-adapter');
    const args = ['download', String(sessionId), '-o', folder, '--keystore', at('alice.json')];
    await cli(...args);
    expect(readFileSync(join(folder, 'adapter_model.safetensors'))).toEqual(bob);
    told('alice (C++) has the model');

    expect(await click('download')).toContain(`adapter ${node}`);
    told('carol (Chromium) has the model');

    // Carol's X25519 key opens in C++ as well.
    const carol = at('carol-adapter');
    await keystore('carol');
    await cli('download', String(sessionId), '-o', carol, '--keystore', at('carol.json'));
    expect(readFileSync(join(carol, 'adapter_model.safetensors'))).toEqual(bob);
    told('carol (C++) has the model');
  });

  test('everything is verified, stakes come back', async () => {
    const signer = wallets.alice as HDNodeWallet;
    const ffe = new FFE({ network: net.file, signer });
    const model: Model = await ffe.download(sessionId);
    expect(model.checks.every((check) => check.passed)).toBe(true);
    expect(model.checks.length).toBeGreaterThan(15);
    expect(model.report.shares).toHaveLength(3);
    const { verdicts, result } = await ffe.status(sessionId);
    expect(verdicts.map((v) => v.verdict)).toEqual([1, 1, 1]);
    expect(result?.jointLossMicroNats).toBeLessThan(result?.baseLossMicroNats ?? 0);
    expect((await ffe.claimable(sessionId)).stake).toBe(5n * 10n ** 17n);
    await ffe.claim(sessionId);
    expect((await ffe.claimable(sessionId)).stake).toBe(0n);
  });

  test('a lying endpoint of the chain is caught', async () => {
    const { result, opened } = await new FFE({ network: net.file }).status(sessionId);
    const plain = (hex = ''): string => hex.slice(2);
    const other = '5a'.repeat(32);
    const lies: [string, string, string | RegExp][] = [
      // Another model, by the logs alone and by everything that the endpoint says.
      ['logs', plain(result?.artifactRoot), /artifact/],
      ['all', plain(result?.artifactRoot), /artifact|signed/],
      ['all', plain(result?.gateRoot), /signed|gateRoot/],
      ['all', plain(result?.seed), /signed|seed/],
      ['logs', plain(result?.reportRoot), /reportRoot/],
      // Terms that the opener never set; another enclave's key.
      ['all', plain(opened.terms.codeHash), /hash/],
      ['all', plain(opened.sessionKey), /hash/],
    ];
    for (const [where, from, words] of lies) {
      const liar = await proxy(net.network.rpcUrl, (method, answer) =>
        where === 'all' || method === 'eth_getLogs' ? answer.replaceAll(from, other) : answer,
      );
      try {
        const network = { ...net.network, rpcUrl: liar.url };
        const signer = wallets.bob as HDNodeWallet;
        const call = new FFE({ network, signer }).download(sessionId);
        await expect(call).rejects.toMatchObject({
          code: 'corrupt',
          message: expect.stringMatching(words) as string,
        });
      } finally {
        await liar.stop();
      }
    }
  });

  test('a token moves with its key, sealed anew by the enclave', async () => {
    const of = (name: string): FFE =>
      new FFE({ network: net.file, signer: wallets[name] as HDNodeWallet });
    const [alice, bob, buyer] = [of('alice'), of('bob'), of('opener')];
    const before = await alice.download(sessionId);
    const refusal = { code: 'key', message: expect.stringContaining('owns no token') as string };
    await expect(buyer.download(sessionId)).rejects.toMatchObject(refusal);
    const { tokenId } = before;
    const to = (wallets.opener as HDNodeWallet).address;

    // Nothing moves, and the key stays here, unless the buyer asked for it.
    const request = JSON.parse(JSON.stringify(await buyer.requestKey(tokenId))) as KeyRequest;
    const refused: [FFE, string | KeyRequest, object][] = [
      [alice, to, { code: 'usage' }],
      [bob, request, { code: 'key', message: expect.stringContaining('does not own') as string }],
      [alice, { ...request, tokenId: '1' }, { code: 'bad_input' }],
      [alice, { ...request, deadline: 1 }, { code: 'key' }],
      [alice, { ...request, deadline: request.deadline + 1 }, { code: 'key' }],
      [alice, { ...request, salt: `0x${'00'.repeat(32)}` }, { code: 'key' }],
      [alice, { ...request, key: (await bob.requestKey(tokenId)).key }, { code: 'key' }],
    ];
    for (const [who, what, error] of refused) {
      await expect(who.transfer(tokenId, what)).rejects.toMatchObject(error);
    }
    const strict = new FFE({
      network: { ...net.network, releases: [] },
      signer: wallets.alice as HDNodeWallet,
    });
    await expect(strict.transfer(tokenId, request)).rejects.toMatchObject({ code: 'attestation' });

    const folder = project();
    const signer = (name: string): string =>
      `new Wallet('${(wallets[name] as HDNodeWallet).privateKey}')`;
    const prelude =
      `import { Wallet } from 'ethers';\nconst network = '${net.file}';\nconst tokenId = ${tokenId}n;\n` +
      `const buyer = ${signer('opener')};\nconst seller = ${signer('alice')};`;
    writeFileSync(join(folder, 'move.mjs'), forNode(snippetWith('requestKey'), prelude));
    await run(process.execPath, ['move.mjs'], { cwd: folder });
    const bought = await buyer.download(sessionId);
    expect([bought.tokenId, bought.adapterSha256]).toEqual([tokenId, before.adapterSha256]);
    await expect(alice.download(sessionId)).rejects.toMatchObject(refusal);
    told('the opener has bought a token');

    // To a wallet without ECDH; then on, alone.
    wallets.dave = await net.account();
    const dave = of('dave');
    const { tokenId: bobs } = await bob.download(sessionId);
    await bob.transfer(bobs, await dave.requestKey(bobs, { ownerKey: 'x25519' }));
    expect((await dave.download(sessionId)).adapterSha256).toBe(before.adapterSha256);
    wallets.erin = await net.account(0n);
    const erin = (wallets.erin as HDNodeWallet).address;
    await dave.transfer(bobs, erin, { withoutKey: true });
    await expect(of('erin').download(sessionId)).rejects.toMatchObject({
      code: 'key',
      message: expect.stringContaining('moved without its key') as string,
    });
  });

  test('a token moves between this library and the command', async () => {
    const holder = new FFE({ network: net.file, signer: wallets.opener as HDNodeWallet });
    const { tokenId, adapterSha256 } = await holder.download(sessionId);
    wallets.frank = await net.account();
    const frank = ['--keystore', await keystore('frank')];
    const asked = await cli('request-key', tokenId.toString(), ...frank);
    await holder.transfer(tokenId, JSON.parse(asked) as KeyRequest);
    await cli('download', sessionId.toString(), '-o', at('franks'), ...frank);
    const weights = readFileSync(join(at('franks'), 'adapter_model.safetensors'));
    expect(`0x${createHash('sha256').update(weights).digest('hex')}`).toBe(adapterSha256);

    // And back, for each kind of owner key that this library asks for.
    for (const ownerKey of ['x25519', undefined] as const) {
      const request = await holder.requestKey(tokenId, ownerKey && { ownerKey });
      writeFileSync(at('request.json'), JSON.stringify(request));
      await cli('transfer', tokenId.toString(), at('request.json'), ...frank);
      expect((await holder.download(sessionId)).adapterSha256).toBe(adapterSha256);
      const again = await cli('request-key', tokenId.toString(), ...frank);
      await holder.transfer(tokenId, JSON.parse(again) as KeyRequest);
    }
    told('a token went back and forth between the clients');
  });

  test('what the enclave refuses to seal', async () => {
    const service = new EnclaveService(net.network.enclaveUrls[0] as string);
    const word = (byte: string): string => `0x${byte.repeat(32)}`;
    const { address, signingKey } = wallets.alice as HDNodeWallet;
    const body = {
      tokenId: '1001',
      sessionHash: word('11'),
      artifactRoot: word('22'),
      buyer: address,
      buyerKey: signingKey.publicKey,
      deadline: 2_000_000_000,
      salt: word('33'),
      sealed: `0x${'44'.repeat(80)}`,
    };
    const refused: [object, string][] = [
      [{}, 'authentication failed'],
      [{ sealed: '0x' }, 'an HPKE message has at least 48 bytes'],
      [{ buyerKey: word('00') }, 'owner key: an X25519 point of low order'],
      [{ buyer: net.network.inft }, 'owner key: belongs to another account'],
      [{ tokenId: 'x' }, ''],
      [{ deadline: -1 }, 'deadline'],
    ];
    for (const [change, words] of refused) {
      const call = service.ask('/v1/keys/reseal', { ...body, ...change } as Json);
      await expect(call).rejects.toMatchObject({
        code: 'session',
        message: expect.stringContaining(words) as string,
      });
    }
  });
});
