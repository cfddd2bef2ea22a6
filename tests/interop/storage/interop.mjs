// Official SDKs against our node and client over real processes: what one stores, the other reads back byte by byte.
// Usage: node interop.mjs path/to/test_storage_tool [--quick]
import assert from "node:assert/strict";
import { spawn, execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
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
const tool = process.argv[2];
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
  await run("get", "--rpc", rpc, ...nodes.flatMap((url) => ["--node", url]), "--file", path, "--root", root);
  return readFileSync(path);
}

function same(got, path, what) {
  assert.ok(got.equals(readFileSync(path)), `${what}: other bytes`);
  console.log(`ok  ${what}`);
}

async function exchange(rpc, nodes, label, sizes) {
  for (const size of sizes) {
    const ours = file(size);
    const root = await oursUpload(rpc, nodes, ours);
    for (const [name, sdk] of Object.entries(SDKS)) {
      same(await sdkDownload(sdk, nodes[0], root), ours, `${label}: we store, ${name} reads, ${size} bytes`);
      const theirs = file(size);
      const theirRoot = await sdkUpload(sdk, nodes[0], rpc, theirs);
      same(await oursDownload(rpc, nodes, theirRoot), theirs, `${label}: ${name} stores, we read, ${size} bytes`);
    }
  }
}

try {
  const chain = await start("chain");
  const [rpc, flow] = chain.line.split(" ");
  const serve = (name, ...more) => start("serve", "--rpc", rpc, "--flow", flow, "--dir", join(dir, name), ...more);

  const single = await serve("single");
  await exchange(rpc, [single.line], "one node", SIZES);
  single.child.kill();

  const right = await serve("right", "--shards", "2", "--shard", "1");
  const left = await serve("left", "--shards", "2", "--shard", "0", "--peer", right.line);
  await exchange(rpc, [left.line, right.line], "two shards", [1, 262145, 3000000]);
  console.log("all exchanges are byte-exact");
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
}
process.exit(0);
