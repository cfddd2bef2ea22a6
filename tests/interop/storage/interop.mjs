// Official SDKs against our node and client over real processes: what one stores, the other reads back byte by byte.
// Usage: node interop.mjs path/to/test_storage_tool path/to/ffe [--quick]
import assert from "node:assert/strict";
import { spawn, execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { JsonRpcProvider, NonceManager, Wallet } from "ethers";

const require = createRequire(import.meta.url);
const SDKS = {
  "@0gfoundation/0g-ts-sdk 1.2.8": require("@0gfoundation/0g-ts-sdk"),
  "@0glabs/0g-ts-sdk 0.3.3": require("@0glabs/0g-ts-sdk"),
};
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const quick = process.argv.includes("--quick");
const SIZES = [1, 256, 257, 4097, 262144, 262145, 1048577, 3000000, ...(quick ? [] : [40 << 20])];
const [tool, ffe] = process.argv.slice(2);
const dir = mkdtempSync(join(tmpdir(), "ffe-interop-"));
const children = [];

// Starts `tool` and resolves with its first line.
function start(...args) {
  const child = spawn(tool, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    createInterface(child.stdout).once("line", (line) => resolve({ line, child }));
    child.once("exit", (code) => reject(new Error(`${args[0]} ended with ${code}`)));
  });
}

async function run(...args) {
  const { stdout } = await promisify(execFile)(tool, args);
  return stdout.trim();
}

let seed = 0;
function file(size) {
  const path = join(dir, `file-${++seed}`);
  writeFileSync(path, randomBytes(size));
  return path;
}

// The SDKs talk a lot on stdout.
async function quietly(work) {
  const log = console.log;
  console.log = () => {};
  try {
    return await work();
  } finally {
    console.log = log;
  }
}

async function sdkUpload(sdk, indexer, rpc, path) {
  const handle = await sdk.ZgFile.fromFilePath(path);
  try {
    const signer = new Wallet(KEY, new JsonRpcProvider(rpc));
    const options = { tags: "0x", finalityRequired: true, taskSize: 10, expectedReplica: 1, skipTx: false, fee: 0n };
    const [result, error] = await quietly(() =>
      new sdk.Indexer(indexer).upload(handle, rpc, signer, options, { Retries: 20, Interval: 1, MaxGasPrice: 0 }),
    );
    assert.equal(error, null);
    return result.rootHash;
  } finally {
    await handle.close();
  }
}

async function sdkDownload(sdk, indexer, root) {
  const path = join(dir, `down-${++seed}`);
  const error = await quietly(() => new sdk.Indexer(indexer).download(root, path, true));
  assert.equal(error, null);
  return readFileSync(path);
}

async function oursUpload(rpc, nodes, path) {
  const line = await run("put", "--rpc", rpc, ...nodes.flatMap((url) => ["--node", url]), "--file", path);
  return line.split(" ")[0];
}

async function oursDownload(rpc, nodes, root) {
  const path = join(dir, `down-${++seed}`);
  const words = ["get", "--rpc", rpc, ...nodes.flatMap((url) => ["--node", url]), "--file", path, "--root", root];
  // The SDK waits for finality at a node of its choice: another shard's may be a moment behind.
  for (let patience = 10; ; --patience) {
    try {
      await run(...words);
      return readFileSync(path);
    } catch (error) {
      if (patience === 0 || !error.stderr?.includes("no storage node that answers holds segment")) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

function same(got, path, what) {
  assert.ok(got.equals(readFileSync(path)), `${what}: other bytes`);
  console.log(`ok  ${what}`);
}

async function ask(url, method, ...params) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  return (await answer.json()).result;
}

// The SDK's own tree of a file that we stored: the same root, and for each segment the same proof as the nodes give.
async function sameTree(nodes, path, root, size) {
  const data = new SDKS["@0gfoundation/0g-ts-sdk 1.2.8"].MemData(readFileSync(path));
  const [tree, error] = await data.merkleTree();
  assert.equal(error, null);
  assert.equal(tree.rootHash(), root, "another root");
  for (let i = 0; i * 262144 < size; ++i) {
    const answers = await Promise.all(nodes.map((url) => ask(url, "zgs_downloadSegmentWithProof", root, i)));
    const { lemma, path: sides } = tree.proofAt(i);
    assert.deepEqual(answers.find((answer) => answer)?.proof, { lemma, path: sides }, `another proof of segment ${i}`);
  }
  console.log(`ok  the SDK computes our root and our proofs, ${size} bytes`);
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

// Kills a node as soon as `when` says so and starts it again, while `work` goes on. Users whose client gives up run it
// again, so that is allowed once.
async function killedMeanwhile(serve, node, when, work) {
  let interrupted = false;
  const result = work().catch((error) => {
    if (!interrupted) throw error;
    return work();
  });
  while (!(await when())) await new Promise((resolve) => setTimeout(resolve, 5));
  interrupted = true;
  node.child.kill("SIGKILL");
  const again = await serve();
  return { value: await result, node: again };
}

async function killedNode(serve, rpc) {
  const port = await freePort();
  // Each answer is late, so that there is a middle in which to kill.
  const start = () => serve("killed", "--port", String(port), "--fault", "delay=1:20");
  let node = await start();
  const url = node.line;
  for (const [name, sdk] of Object.entries(SDKS)) {
    const path = file(6_000_000);
    const [tree] = await new SDKS["@0gfoundation/0g-ts-sdk 1.2.8"].MemData(readFileSync(path)).merkleTree();
    const uploaded = async () => (await ask(url, "zgs_getFileInfo", tree.rootHash(), true))?.uploadedSegNum >= 3;
    const up = await killedMeanwhile(start, node, uploaded, () => sdkUpload(sdk, url, rpc, path));
    node = up.node;
    same(await oursDownload(rpc, [url], up.value), path, `node killed while ${name} uploads`);

    const begun = Date.now();
    const late = async () => Date.now() - begun > 250;
    const down = await killedMeanwhile(start, node, late, () => sdkDownload(sdk, url, up.value));
    node = down.node;
    same(down.value, path, `node killed while ${name} downloads`);
  }
  node.child.kill();
}

async function exchange(rpc, nodes, label, sizes) {
  for (const size of sizes) {
    const ours = file(size);
    const root = await oursUpload(rpc, nodes, ours);
    if (size <= 3_000_000) await sameTree(nodes, ours, root, size);
    for (const [name, sdk] of Object.entries(SDKS)) {
      same(await sdkDownload(sdk, nodes[0], root), ours, `${label}: we store, ${name} reads, ${size} bytes`);
      const theirs = file(size);
      const theirRoot = await sdkUpload(sdk, nodes[0], rpc, theirs);
      same(await oursDownload(rpc, nodes, theirRoot), theirs, `${label}: ${name} stores, we read, ${size} bytes`);
    }
  }
}

// The command line, as a user who has only a key would use it: a file in fragments, which the SDK reads one by one.
async function commandLine(rpc, node) {
  const key = join(dir, "key"), password = join(dir, "password"), out = join(dir, "out");
  writeFileSync(key, KEY, { mode: 0o600 });
  writeFileSync(password, "secret\n", { mode: 0o600 });
  const env = { ...process.env, XDG_CONFIG_HOME: join(dir, "config"), HOME: dir };
  const call = async (...args) => (await promisify(execFile)(ffe, [...args, "--quiet"], { env })).stdout.trim();
  const fails = async (status, ...args) => assert.rejects(call(...args), (error) => error.code === status);
  await call("key", "import", "alice", key, "--password-file", password);
  const path = file(2_500_000);
  const put = ["storage", "put", path, "--rpc-url", rpc, "--node", node, "--password-file", password];
  const roots = (await call(...put, "--fragment-size", "1MiB")).split("\n");
  assert.equal(roots.length, 3);
  assert.equal(await call("storage", "root", path, "--fragment-size", "1MiB"), roots.join("\n"));
  await call("storage", "get", ...roots, out, "--node", node);
  same(readFileSync(out), path, "ffe: fragments come back");
  await fails(2, "storage", "get", ...roots, out, "--node", node);
  await fails(2, "storage", "get", "0x12", join(dir, "none"), "--node", node);
  const sdk = SDKS["@0gfoundation/0g-ts-sdk 1.2.8"];
  const parts = [];
  for (const root of roots) parts.push(await sdkDownload(sdk, node, root));
  same(Buffer.concat(parts), path, "ffe: the SDK reads the fragments");
  const again = JSON.parse(await call(...put, "--fragment-size", "1MiB", "--json"));
  assert.ok(again.fragments.every(({ txHash, fee }) => BigInt(txHash) === 0n && fee === "0"), "paid twice");
  const info = JSON.parse(await call("storage", "info", roots[2], "--node", node, "--json"));
  assert.deepEqual([info.size, info.finalized, info.nodes.length], [2_500_000 - (2 << 20), true, 1]);
  console.log("ok  ffe: put, get, root, info");
}

try {
  const chain = await start("chain");
  const [rpc, flow] = chain.line.split(" ");
  const serve = (name, ...more) => start("serve", "--rpc", rpc, "--flow", flow, "--dir", join(dir, name), ...more);

  const single = await serve("single");
  await exchange(rpc, [single.line], "one node", SIZES);
  await commandLine(rpc, single.line);
  single.child.kill();

  const right = await serve("right", "--shards", "2", "--shard", "1");
  const left = await serve("left", "--shards", "2", "--shard", "0", "--peer", right.line);
  await exchange(rpc, [left.line, right.line], "two shards", [1, 262145, 3000000]);
  await killedNode(serve, rpc);
  console.log("all exchanges are byte-exact");
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
}
process.exit(0);
