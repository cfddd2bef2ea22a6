// The official SDK's side of the storage benchmark. Usage:
//   node peer.mjs root FILE | put FILE RPC INDEXER | get ROOT RPC INDEXER OUT
// Prints {"seconds", "root"}: the work itself, without the start of Node.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(fileURLToPath(new URL("../../tests/interop/storage/", import.meta.url)));
const { Indexer, ZgFile } = require("@0gfoundation/0g-ts-sdk");
const { JsonRpcProvider, Wallet } = require("ethers");
// The first account of anvil, a key known to everyone.
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

const [command, what, rpc, indexer, out] = process.argv.slice(2);

async function root() {
  const file = await ZgFile.fromFilePath(what);
  const [tree, error] = await file.merkleTree();
  if (error) throw error;
  return tree.rootHash();
}

async function put() {
  const file = await ZgFile.fromFilePath(what);
  const signer = new Wallet(KEY, new JsonRpcProvider(rpc));
  const options = { tags: "0x", finalityRequired: true, taskSize: 10, expectedReplica: 1, skipTx: false, fee: 0n };
  const [result, error] = await new Indexer(indexer).upload(file, rpc, signer, options);
  if (error) throw error;
  return result.rootHash;
}

async function get() {
  const error = await new Indexer(indexer).download(what, out, true);
  if (error) throw error;
  return what;
}

const print = console.log;
console.log = () => {};
const start = performance.now();
const result = await { root, put, get }[command]();
print(JSON.stringify({ seconds: (performance.now() - start) / 1000, root: result }));
process.exit(0);
