// Writes binding.json with ethers 6: node generate.mjs > binding.json
// (ethers must be resolvable, for example from a folder where `npm install ethers@6` ran).
import { AbiCoder, concat, getAddress, id, keccak256, zeroPadBytes } from "ethers";

const abi = AbiCoder.defaultAbiCoder();
const at = (byte) => getAddress("0x" + byte.repeat(20));

const inputs = [
  { chainId: 31337, registry: at("11"), signer: at("22"), appHash: id("app"), blockNumber: 77,
    nonce: id("nonce"), payee: at("33"), platformHash: id("platform"), quote: "0x0400020081000000" },
  { chainId: 16661, registry: at("ff"), signer: at("01"), appHash: "0x" + "00".repeat(32),
    blockNumber: 9007199254740991, nonce: "0x" + "ff".repeat(32), payee: at("00"),
    platformHash: id(""), quote: "0x" },
];

const cases = inputs.map((c) => {
  const ext = abi.encode(
    ["bytes32", "uint256", "address", "address", "bytes32", "uint256", "bytes32"],
    [id("ffe.enclave.v1"), c.chainId, c.registry, c.signer, c.appHash, c.blockNumber, c.nonce]);
  const codeHash = keccak256(abi.encode(["bytes32", "bytes32"], [c.platformHash, c.appHash]));
  return {
    ...c,
    ext,
    reportData: zeroPadBytes(concat([c.signer, keccak256(ext)]), 64),
    codeHash,
    enclaveId: keccak256(abi.encode(["address", "bytes32"], [c.signer, codeHash])),
    registerDigest: keccak256(abi.encode(
      ["bytes32", "bytes32", "address", "bytes32"],
      [id("ffe.register.v1"), keccak256(ext), c.payee, keccak256(c.quote)])),
  };
});
console.log(JSON.stringify({ cases }, null, 1));
