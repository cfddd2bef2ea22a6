// Writes tests/vectors/storage/files.json with the official SDK: roots, submission nodes, segment proofs and the
// call data of a submission for files whose byte i is i % 251.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { Interface } from "ethers";

const require = createRequire(import.meta.url);
const { MemData } = require("@0gfoundation/0g-ts-sdk");
const { version } = JSON.parse(readFileSync(new URL("node_modules/@0gfoundation/0g-ts-sdk/package.json", import.meta.url)));

const SIZES = [
  1, 2, 255, 256, 257, 512, 513, 767, 768, 1024, 1025, 3840, 3841, 4096, 4097, 5000, 65537, 100000, 262143, 262144,
  262145, 300000, 524288, 524289, 786433, 1000000, 1048576, 1048577, 1310720, 2097153, 3000000, 8388609, 9000000,
];
const SUBMITTER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const flow = new Interface([
  "function submit(((uint256 length, bytes tags, (bytes32 root, uint256 height)[] nodes) data, address submitter) submission) payable",
]);

function pattern(size) {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; ++i) bytes[i] = i % 251;
  return bytes;
}

const cases = [];
for (const size of SIZES) {
  const file = new MemData(pattern(size));
  const [tree, treeError] = await file.merkleTree();
  if (treeError !== null) throw treeError;
  const [submission, submissionError] = await file.createSubmission("0x", SUBMITTER);
  if (submissionError !== null) throw submissionError;
  const padded = file.numSegmentsPadded();
  const wanted = [...new Set([0, 1, 2, padded >> 1, padded - 2, padded - 1])].filter((i) => i >= 0 && i < padded);
  cases.push({
    size,
    root: tree.rootHash(),
    nodes: submission.data.nodes.map((node) => [Number(node.height), node.root]),
    calldata: flow.encodeFunctionData("submit", [submission]),
    proofs: Object.fromEntries(wanted.map((i) => [i, (({ lemma, path }) => ({ lemma, path }))(tree.proofAt(i))])),
  });
}
const out = { source: `@0gfoundation/0g-ts-sdk ${version}`, pattern: "byte i = i % 251", submitter: SUBMITTER, cases };
writeFileSync(new URL("../../vectors/storage/files.json", import.meta.url), JSON.stringify(out, null, 1) + "\n");
